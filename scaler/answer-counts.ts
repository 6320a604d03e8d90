import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";

/** What a gateway's counters of estimated answers were when they were read last. */
export interface AnswerCounts {
  /** Null: they were never read. */
  readonly epoch: string | null;
  readonly byVariants: ReadonlyMap<string, AccuracyEstimate>;
}

export function newAnswerCounts(): AnswerCounts {
  return { epoch: null, byVariants: new Map() };
}

/**
 * What was answered since the counters were read last. Of the first report only what comes after it is taken: how old the rest is nobody
 * knows. A gateway that was started again counts from 0.
 */
export function readAnswers(
  before: AnswerCounts,
  report: { readonly epoch: string; readonly estimates: readonly AccuracyEstimate[] },
): { readonly counts: AnswerCounts; readonly answered: readonly AccuracyEstimate[] } {
  const byVariants = new Map(report.estimates.map(estimate => [JSON.stringify(estimate.variants), estimate]));
  const counts = { epoch: report.epoch, byVariants };
  if (before.epoch === null) return { counts, answered: [] };
  const isSameRun = before.epoch === report.epoch;
  const answered = report.estimates.map(now => {
    const then = isSameRun ? before.byVariants.get(JSON.stringify(now.variants)) : undefined;
    return {
      variants: now.variants,
      requests: now.requests - (then?.requests ?? 0),
      right: now.right - (then?.right ?? 0),
      labels: now.labels - (then?.labels ?? 0),
      correction: now.correction - (then?.correction ?? 0),
    };
  });
  return { counts, answered: answered.filter(({ requests, labels }) => requests > 0 || labels > 0) };
}
