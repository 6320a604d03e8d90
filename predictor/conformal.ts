import { inverseAnscombe } from "./anscombe.ts";
import type { Quantiles } from "./quantiles.ts";

/** At one outcome a minute; what comes oftener is followed as fast only by the root of that, or chance would be followed too. */
const LEAST_STEP = 0.01;
/** Where outcomes are a minute apart, as at 600 s, of quantiles that are seldom missed: a day has few misses to tell that it is rougher. */
const SELDOM_STEP = 0.03;
const SELDOM_MISSED = 0.95;
/** The same of the first, which falls with that itself: what ten outcomes of one rise put on would take hits an hour to take off. */
const FIRST_STEP = 0.3;
const FULL_STEP_SECONDS = 60;
/** Of the steps, for the middle: no promise hangs on it, and every other outcome misses it, so that full steps follow chance. */
const MIDDLE_STEP = 0.25;
/** What a new miss makes of the mean excess: little, so that the misses of one burst do not set their own step. */
const EXCESS_WEIGHT = 0.02;
/** In Anscombe sigmas. */
const LARGEST_EXCESS = 20;

/** What is added to each quantile in the Anscombe domain so that it keeps its promise, and what the step size is made of. */
export interface Calibration {
  readonly offsets: Quantiles;
  /** How many outcomes it has seen. */
  readonly outcomes: number;
  /** By how much each quantile was exceeded on average when it was missed, in Anscombe sigmas. */
  readonly missExcess: Quantiles;
}

export function createCalibration(levels: readonly number[]): Calibration {
  const zeros = levels.map(() => 0);
  return { offsets: zeros, outcomes: 0, missExcess: zeros };
}

/**
 * Online quantile tracking: a miss raises the q-quantile by step · q, a hit lowers it by step · (1 − q), so in the long run it is
 * missed in a share 1 − q of the cases whatever the load does (Gibbs and Candès, NeurIPS 2021). The step shrinks as 1/√outcomes
 * to a floor (Angelopoulos, Barber and Bates, ICML 2024) and follows the scale of the errors (Angelopoulos, Candès and Tibshirani,
 * NeurIPS 2023), here of the misses alone: a Poisson load is missed by a fraction of a sigma, a burst by ten. Below the middle all is
 * mirrored: what misses is what stays below. The middle takes shorter ones. A day's share of misses is off by what the offset moved, over the steps of the day: those seldom missed take longer ones.
 *
 * @param elapsedSeconds between two outcomes.
 */
export function calibrate(
  state: Calibration,
  levels: readonly number[],
  issued: Quantiles,
  actual: number,
  elapsedSeconds: number,
): Calibration {
  const outcomes = state.outcomes + 1;
  const share = Math.min(elapsedSeconds / FULL_STEP_SECONDS, 1);
  const firstStep = (FIRST_STEP * share) / Math.sqrt(outcomes);
  const offsets = levels.map((q, i) => {
    const [offset, missExcess, quantile] = [state.offsets[i], state.missExcess[i], issued[i]] as [
      number,
      number,
      number,
    ];
    const isSeldomMissed = Math.max(q, 1 - q) >= SELDOM_MISSED;
    const leastStep = share === 1 && isSeldomMissed ? SELDOM_STEP : LEAST_STEP * Math.sqrt(share);
    const step = (q === 0.5 ? MIDDLE_STEP : 1) * Math.max(leastStep, firstStep) * Math.max(1, missExcess);
    if (actual > quantile) return offset + step * q;
    // Without load every outcome is a hit: a quantile that is 0 already must not wind down for the day that load returns.
    return inverseAnscombe(quantile) > 0 ? offset - step * (1 - q) : offset;
  });
  const missExcess = levels.map((q, i) => {
    const [before, quantile] = [state.missExcess[i], issued[i]] as [number, number];
    const excess = Math.min(q < 0.5 ? quantile - actual : actual - quantile, LARGEST_EXCESS);
    return excess > 0 ? before + EXCESS_WEIGHT * (excess - before) : before;
  });
  return { offsets, outcomes, missExcess };
}

/** For other predictions than those that it was learnt of: the short steps of the middle would take days to undo what those lacked. */
export function forgetMiddle(state: Calibration, levels: readonly number[]): Calibration {
  return { ...state, offsets: state.offsets.map((offset, i) => (levels[i] === 0.5 ? 0 : offset)) };
}
