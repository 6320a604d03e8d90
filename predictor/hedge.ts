import { pinballLosses, type Quantiles, quantiles, quantilesAt, WIDTH } from "./quantiles.ts";

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

export const NO_LOSSES: LossSums = [0, 0, 0, 0];

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
 * @param losses discounted sums, four of each expert.
 */
export function expertWeights(losses: Float64Array, i: 0 | 1 | 2 | 3, horizonSeconds: number): number[] {
  const rate = LEARNING_RATE * Math.min(1, FULL_RATE_SECONDS / horizonSeconds);
  let least = Number.POSITIVE_INFINITY;
  for (let at: number = i; at < losses.length; at += WIDTH) least = Math.min(least, losses[at] as number);
  const weights: number[] = [];
  let sum = 0;
  for (let at: number = i; at < losses.length; at += WIDTH) {
    const raw = Math.exp(-rate * ((losses[at] as number) - least));
    weights.push(raw);
    sum += raw;
  }
  for (let e = 0; e < weights.length; e++) weights[e] = (weights[e] as number) / sum;
  return weights;
}

/**
 * Adds the losses of one more outcome to those of each expert, of which `kept` is left.
 *
 * @param sums four of each expert.
 * @param predictions theirs, in the same order from the place `from` on.
 */
export function addLosses(
  sums: Float64Array,
  predictions: Float64Array,
  from: number,
  actual: number,
  kept: number,
): void {
  for (let at = 0; at < sums.length; at += WIDTH) {
    const losses = pinballLosses(quantilesAt(predictions, from + at), actual);
    for (let i = 0; i < WIDTH; i++)
      sums[at + i] = (sums[at + i] as number) * kept + Math.min(losses[i] as number, LARGEST_LOSS);
  }
}

/** Every quantile's mean of the experts by its own weights. */
export function mix(predictions: readonly Quantiles[], losses: Float64Array, horizonSeconds: number): Quantiles {
  return quantiles((_q, i) => {
    const weights = expertWeights(losses, i, horizonSeconds);
    return predictions.reduce((sum, prediction, e) => sum + (weights[e] ?? 0) * prediction[i], 0);
  });
}
