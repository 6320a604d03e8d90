import { confidenceThreshold, thresholdAccuracy } from "../domain/confidence-threshold.ts";
import type { Signals } from "../domain/correctness-model.ts";
import type { Example } from "./fit-correctness.ts";

/**
 * ATC's estimate of accuracy without labels (Garg et al., ICLR 2022) of a whole pipeline: an answer is as sure as the least of its
 * confidences, and the threshold has as many answers to items without drift below it as are wrong.
 *
 * @param confidences names of signals; one that an answer does not have counts as not sure at all.
 * @returns null without drifted answers.
 */
export function thresholdEstimate(
  confidences: readonly string[],
  known: readonly Example[],
  drifted: readonly Example[],
): number | null {
  const threshold = confidenceThreshold(
    known.map(({ signals, right }) => ({ confidence: leastOf(signals, confidences), right })),
  );
  return thresholdAccuracy(
    drifted.map(({ signals }) => leastOf(signals, confidences)),
    threshold,
  );
}

function leastOf(signals: Signals, names: readonly string[]): number {
  return Math.min(...names.map(name => signals[name] ?? Number.NEGATIVE_INFINITY));
}
