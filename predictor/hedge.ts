import { pinballLoss, type Quantiles } from "./quantiles.ts";

/** Of outcomes up to a minute ahead. */
const LEARNING_RATE = 0.2;
const FULL_RATE_SECONDS = 60;
const LEAST_HALF_LIFE_SECONDS = 6 * 3600;
const HALF_LIFE_HORIZONS = 144;
/** Of what is known of a load: its first minutes must not decide for hours. */
const YOUNG_SHARE = 0.5;
const YOUNG_SECONDS = 300;
/** In Anscombe sigmas: one absurd second must not decide for hours. */
const LARGEST_LOSS = 5;

/** Discounted pinball losses of one expert, quantile by quantile. */
export type LossSums = Quantiles;

/**
 * How much of a loss is left after `elapsedSeconds`: half after six hours, of a young load after half of the time that its losses are known
 * for, at least five minutes. At 600 s half after a day, of a young load too: what tells the experts apart there is seldom.
 *
 * @param knownSeconds how long ago the first outcome was.
 */
export function lossKept(horizonSeconds: number, elapsedSeconds: number, knownSeconds: number): number {
  const settled = Math.max(LEAST_HALF_LIFE_SECONDS, HALF_LIFE_HORIZONS * horizonSeconds);
  const young = Math.max(YOUNG_SHARE * knownSeconds, YOUNG_SECONDS);
  return 2 ** (-elapsedSeconds / (horizonSeconds > FULL_RATE_SECONDS ? settled : Math.min(young, settled)));
}

/**
 * Weights of the experts in the quantile `i` by their discounted losses of it: w ∝ exp(−rate · Σ loss · 2^(−age/halfLife))
 * (exponentially weighted forecaster, Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, §2). Each quantile has weights of its own: who is
 * right about the middle knows little about the bursts. They are remembered for hours, since what tells the experts apart, a burst
 * or a busy hour, is seldom; the longer the horizon, the more outcomes share one burst, so each of them tells less, and all are
 * remembered for longer.
 *
 * @param losses discounted sums, one for each level of each expert.
 * @param says whether an expert is weighed; the others have no weight.
 */
export function weighExperts(
  losses: Float64Array,
  levels: number,
  i: number,
  horizonSeconds: number,
  says: (expert: number) => boolean = () => true,
): number[] {
  const rate = LEARNING_RATE * Math.min(1, FULL_RATE_SECONDS / horizonSeconds);
  // The least of those that are weighed: beside one that is far ahead of them all others would have no weight.
  let least = Number.POSITIVE_INFINITY;
  for (let at = i, e = 0; at < losses.length; at += levels, e++)
    if (says(e)) least = Math.min(least, losses[at] as number);
  const weights: number[] = [];
  let sum = 0;
  for (let at = i, e = 0; at < losses.length; at += levels, e++) {
    const raw = says(e) ? Math.exp(-rate * ((losses[at] as number) - least)) : 0;
    weights.push(raw);
    sum += raw;
  }
  for (let e = 0; e < weights.length; e++) weights[e] = (weights[e] as number) / sum;
  return weights;
}

/**
 * Adds the losses of one more outcome to those of each expert, of which `kept` is left.
 *
 * @param sums one for each level of each expert.
 */
export function addLosses(
  sums: Float64Array,
  levels: readonly number[],
  { predictions, from, actual, unit }: Outcome,
  kept: number,
): void {
  for (let at = 0; at < sums.length; at += levels.length) {
    for (const [i, q] of levels.entries()) {
      const loss = pinballLoss(q, predictions[from + at + i] as number, actual) / unit;
      sums[at + i] = (sums[at + i] as number) * kept + Math.min(loss, LARGEST_LOSS);
    }
  }
}

interface Outcome {
  /** Predictions of the experts, in the same order as their losses, from the place `from` on. */
  readonly predictions: Float64Array;
  readonly from: number;
  readonly actual: number;
  /** Losses are counted in so many Anscombe sigmas. */
  readonly unit: number;
}

/** Every quantile's mean of the experts by its own weights, of those that say something; null where none does. */
export function mix(
  predictions: readonly (Quantiles | null)[],
  losses: Float64Array,
  levels: number,
  horizonSeconds: number,
): Quantiles | null {
  const says = (expert: number): boolean => predictions[expert] !== null;
  if (!predictions.some(prediction => prediction !== null)) return null;
  return Array.from({ length: levels }, (_, i) => {
    const weights = weighExperts(losses, levels, i, horizonSeconds, says);
    return predictions.reduce(
      (sum, prediction, e) => sum + (prediction === null ? 0 : (weights[e] as number) * (prediction[i] as number)),
      0,
    );
  });
}
