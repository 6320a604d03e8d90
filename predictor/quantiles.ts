/** One value for each level of a target, in their order. */
export type Quantiles = readonly number[];

/** Those that are in `values` from the place `at` on. */
export function quantilesAt(values: Float64Array, at: number, levels: number): Quantiles {
  return Array.from({ length: levels }, (_, i) => values[at + i] as number);
}

/** In rising order: rearranging quantiles that cross never makes them worse (Chernozhukov et al., Econometrica 78, 2010). */
export function sortRising(values: Quantiles): Quantiles {
  return values.toSorted((x, y) => x - y);
}

/** The pinball loss of the quantile `q`; the true quantile minimises it. */
export function pinballLoss(q: number, predicted: number, actual: number): number {
  const short = actual - predicted;
  return short > 0 ? q * short : (q - 1) * short;
}

/** The mean of the pinball losses of all levels. */
export function meanPinballLoss(levels: readonly number[], predicted: Quantiles, actual: number): number {
  return levels.reduce((sum, q, i) => sum + pinballLoss(q, predicted[i] as number, actual), 0) / levels.length;
}
