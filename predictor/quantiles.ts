import { QUANTILES } from "../domain/load.ts";

/** One value for each of QUANTILES, in their order. */
export type Quantiles = readonly [number, number, number, number];

/** The value of `of(q, i)` for every q of QUANTILES. */
export function quantiles(of: (q: number, i: 0 | 1 | 2 | 3) => number): Quantiles {
  return [of(QUANTILES[0], 0), of(QUANTILES[1], 1), of(QUANTILES[2], 2), of(QUANTILES[3], 3)];
}

/** Numbers that quantiles take up in an array of many. */
export const WIDTH = QUANTILES.length;

/** Those that are in `values` from the place `at` on. */
export function quantilesAt(values: Float64Array, at: number): Quantiles {
  return quantiles((_q, i) => values[at + i] as number);
}

export function copyQuantiles(from: Quantiles, into: Float64Array, at: number): void {
  for (let i = 0; i < WIDTH; i++) into[at + i] = from[i] as number;
}

/** In rising order: rearranging quantiles that cross never makes them worse (Chernozhukov et al., Econometrica 78, 2010). */
export function rising(values: Quantiles): Quantiles {
  const [a, b, c, d] = [...values].sort((x, y) => x - y);
  return a === undefined || b === undefined || c === undefined || d === undefined ? values : [a, b, c, d];
}

/** The pinball loss of each quantile; the true quantiles minimise it. */
export function pinballLosses(predicted: Quantiles, actual: number): Quantiles {
  return quantiles((q, i) => {
    const short = actual - predicted[i];
    return short > 0 ? q * short : (q - 1) * short;
  });
}

/** The mean of the four pinball losses. */
export function pinballLoss(predicted: Quantiles, actual: number): number {
  return pinballLosses(predicted, actual).reduce((sum, loss) => sum + loss, 0) / 4;
}
