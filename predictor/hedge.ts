import { type Quantiles, quantiles } from "./quantiles.ts";

const LEARNING_RATE = 0.5;
const HALF_LIFE_SECONDS = 1200;
/** In Anscombe sigmas: one absurd second must not decide for an hour. */
const LARGEST_LOSS = 5;

/**
 * Weights of the experts by their discounted losses: w ∝ exp(−rate · Σ loss · 2^(−age/halfLife)) (exponentially weighted forecaster,
 * Cesa-Bianchi and Lugosi, Prediction, Learning, and Games, 2006, §2).
 */
export function expertWeights(losses: ArrayLike<number>): number[] {
  const list = Array.from(losses);
  const least = Math.min(...list);
  const raw = list.map(loss => Math.exp(-LEARNING_RATE * (loss - least)));
  const sum = raw.reduce((a, b) => a + b, 0);
  return raw.map(weight => weight / sum);
}

/** The loss sums after one more loss of each expert, `elapsedSeconds` after the last. */
export function addLosses(sums: readonly number[], losses: readonly number[], elapsedSeconds: number): number[] {
  const kept = 2 ** (-elapsedSeconds / HALF_LIFE_SECONDS);
  return sums.map((sum, i) => sum * kept + Math.min(losses[i] ?? LARGEST_LOSS, LARGEST_LOSS));
}

/** The weighted mean of every quantile. */
export function mix(predictions: readonly Quantiles[], weights: readonly number[]): Quantiles {
  return quantiles((_q, i) => predictions.reduce((sum, prediction, e) => sum + (weights[e] ?? 0) * prediction[i], 0));
}
