import { anscombe } from "./anscombe.ts";
import { type Calibration, calibrate, forgetMiddle, UNCALIBRATED } from "./conformal.ts";
import type { Expert } from "./expert.ts";
import { addLosses, type LossSums, lossKept, mix, NO_LOSSES } from "./hedge.ts";
import type { LoadHistory } from "./load-history.ts";
import { type Quantiles, quantiles } from "./quantiles.ts";

/** Predictions per horizon: overlapping windows tell little more. */
const PREDICTIONS_PER_HORIZON = 10;
/** With fewer of its seconds known the maximum of a window would be too low. */
const LEAST_PRESENT_SHARE = 0.8;

/** About the last 200 outcomes count. */
const COVERAGE_WEIGHT = 0.005;
const UNSEEN: Quantiles = quantiles(q => q);

/** A prediction that waits for its horizon to pass, in the Anscombe domain. */
export interface PendingPrediction {
  readonly second: number;
  readonly experts: readonly Quantiles[];
  readonly issued: Quantiles;
}

/** What has been learnt about one horizon. */
export interface HorizonState {
  readonly horizonSeconds: number;
  /** Of each expert. */
  readonly lossSums: readonly LossSums[];
  readonly calibration: Calibration;
  /** How often the outcome of late stayed at or below each quantile. */
  readonly coverage: Quantiles;
  /** Oldest first. */
  readonly pending: readonly PendingPrediction[];
}

export function newHorizonState(horizonSeconds: number, experts: readonly string[]): HorizonState {
  return {
    horizonSeconds,
    lossSums: experts.map(() => NO_LOSSES),
    calibration: UNCALIBRATED,
    coverage: UNSEEN,
    pending: [],
  };
}

/**
 * The state for other experts than those that it was learnt with: who stays keeps his losses, who is new begins with the least loss.
 * Predictions that wait are dropped, and where the middle lies is learnt anew.
 */
export function withExperts(
  state: HorizonState,
  before: readonly (string | null)[],
  now: readonly string[],
): HorizonState {
  const least = quantiles((_q, i) => Math.min(...state.lossSums.map(sums => sums[i])));
  return {
    ...state,
    lossSums: now.map(name => state.lossSums[before.indexOf(name)] ?? least),
    calibration: forgetMiddle(state.calibration),
    pending: [],
  };
}

/** The most predictions that can wait at one time. */
export const MOST_PENDING = PREDICTIONS_PER_HORIZON + 1;

/**
 * Scores the predictions whose horizon ended with the newest second, and makes the next one when it is due. Where there is neither, the
 * state is the same object: those of a thousand pipelines outlive V8's young generation.
 */
export function learn(state: HorizonState, history: LoadHistory, experts: readonly Expert[]): HorizonState {
  const strideSeconds = strideOf(state);
  let { lossSums, calibration, coverage, pending } = state;
  for (
    let first = pending[0];
    first !== undefined && first.second + state.horizonSeconds <= history.second;
    first = pending[0]
  ) {
    pending = pending.slice(1);
    const age = history.second - first.second - state.horizonSeconds;
    const outcome = history.window(age, state.horizonSeconds);
    if (outcome.present < LEAST_PRESENT_SHARE * state.horizonSeconds) continue;
    const actual = anscombe(outcome.highestRps);
    const kept = lossKept(state.horizonSeconds, strideSeconds, calibration.outcomes * strideSeconds);
    lossSums = addLosses(lossSums, first.experts, actual, kept);
    coverage = quantiles(
      (_q, i) => coverage[i] + COVERAGE_WEIGHT * ((actual <= first.issued[i] ? 1 : 0) - coverage[i]),
    );
    calibration = calibrate(calibration, first.issued, actual, strideSeconds);
  }
  const last = pending.at(-1);
  if (last === undefined || history.second - last.second >= strideSeconds) {
    const predictions = experts.map(expert => expert.predict(history, state.horizonSeconds));
    const issued = combine(predictions, { ...state, lossSums, calibration });
    pending = [...pending, { second: history.second, experts: predictions, issued }];
  }
  if (pending === state.pending) return state;
  return { horizonSeconds: state.horizonSeconds, lossSums, calibration, coverage, pending };
}

/** What the experts predicted from the newest second; null: nothing yet. What is older costs a tenth of the gain at 600 s. */
export function newestPredictions(state: HorizonState, history: LoadHistory): readonly Quantiles[] | null {
  const newest = state.pending.at(-1);
  return newest?.second === history.second ? newest.experts : null;
}

function strideOf(state: HorizonState): number {
  return Math.max(1, Math.floor(state.horizonSeconds / PREDICTIONS_PER_HORIZON));
}

/** The calibrated mixture of the experts' predictions, in the Anscombe domain; its quantiles may still cross. */
export function combine(
  experts: readonly Quantiles[],
  { lossSums, calibration, horizonSeconds }: Pick<HorizonState, "lossSums" | "calibration" | "horizonSeconds">,
): Quantiles {
  const mixed = mix(experts, lossSums, horizonSeconds);
  return quantiles((_q, i) => mixed[i] + calibration.offsets[i]);
}
