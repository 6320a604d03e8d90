/** A mean and the interval that it lies in with 95 % confidence. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 4000;

/** The percentile bootstrap of a mean: of paired differences, one for each load. */
export function bootstrapMean(values: readonly number[], random: () => number): Interval {
  if (values.length === 0) return { mean: 0, low: 0, high: 0 };
  const mean = (sample: readonly number[]): number => sample.reduce((sum, value) => sum + value, 0) / sample.length;
  const means = Array.from({ length: RESAMPLES }, () =>
    mean(values.map(() => values[Math.floor(random() * values.length)] ?? 0)),
  ).sort((a, b) => a - b);
  const at = (share: number): number => means[Math.min(RESAMPLES - 1, Math.floor(share * RESAMPLES))] ?? 0;
  return { mean: mean(values), low: at(0.025), high: at(0.975) };
}
