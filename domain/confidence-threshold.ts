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
