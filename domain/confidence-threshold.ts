/**
 * Threshold of confidence of ATC (Garg et al., ICLR 2022): as many outputs of labelled data are below it as are wrong. The share of
 * later outputs at or above it is the estimate of accuracy, and a counter is all that a switcher has to report.
 */
export function confidenceThreshold(
  outputs: readonly { readonly confidence: number; readonly right: boolean }[],
): number {
  const sorted = outputs.map(({ confidence }) => confidence).sort((a, b) => a - b);
  const wrong = outputs.filter(({ right }) => !right).length;
  return sorted[Math.min(wrong, sorted.length - 1)] ?? 0;
}

/** ATC's estimate: the share of confidences at or above the threshold; null without any. */
export function thresholdAccuracy(confidences: readonly number[], threshold: number): number | null {
  if (confidences.length === 0) return null;
  return confidences.filter(confidence => confidence >= threshold).length / confidences.length;
}

/** Adds the thresholds that were learnt from labelled items, by variant, to what a pipeline file says of a stage's confidences; what it says itself wins. */
export function withLearntThresholds<Signs extends { readonly thresholds: Readonly<Record<string, number>> }>(
  signs: Signs,
  variants: readonly { readonly name: string }[],
  measured: Readonly<Record<string, { readonly confidenceThreshold?: number | undefined }>> = {},
): Signs {
  const thresholds: Record<string, number> = {};
  for (const { name } of variants) {
    const threshold = measured[name]?.confidenceThreshold;
    if (threshold !== undefined) thresholds[name] = threshold;
  }
  return { ...signs, thresholds: { ...thresholds, ...signs.thresholds } };
}

/** The ways to read a row's confidence: its largest number, their mean, or the largest of their softmax. */
export type ConfidenceKind = "max" | "mean" | "softmax";

/** Reads a row's confidence from the numbers of an output; null: there is none, or it is no number. */
export function findConfidence(row: Float64Array, kind: ConfidenceKind): number | null {
  if (row.length === 0) return null;
  const sum = (values: Float64Array): number => values.reduce((all, value) => all + value, 0);
  const largest = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const found = {
    max: () => largest,
    mean: () => sum(row) / row.length,
    softmax: () => 1 / sum(row.map(value => Math.exp(value - largest))),
  }[kind]();
  return Number.isFinite(found) ? found : null;
}
