import { type AccuracyEstimate, addTimes } from "../domain/accuracy-estimate.ts";

/** What gateways' counters of estimated answers were when they were read last, by the run of the gateway, oldest first. */
export type AnswerCounts = ReadonlyMap<string, ReadonlyMap<string, AccuracyEstimate>>;

/** Runs that are remembered: while a gateway is replaced, two of them answer in turn. */
const MOST_RUNS = 4;

export const NO_ANSWER_COUNTS: AnswerCounts = new Map();

/**
 * What was answered since the counters were read last. Of the very first report only what comes after it is taken: how old the rest is
 * nobody knows. A gateway that was started later counts from 0.
 */
export function readAnswers(
  before: AnswerCounts,
  report: { readonly epoch: string; readonly estimates: readonly AccuracyEstimate[] },
): { readonly counts: AnswerCounts; readonly answered: readonly AccuracyEstimate[] } {
  const now = new Map(report.estimates.map(estimate => [JSON.stringify(estimate.variants), estimate]));
  const then = before.get(report.epoch);
  const others = [...before].filter(([epoch]) => epoch !== report.epoch);
  const counts = new Map([...others.slice(1 - MOST_RUNS), [report.epoch, now] as const]);
  if (before.size === 0) return { counts, answered: [] };
  const answered = report.estimates.map(estimate => {
    const known = then?.get(JSON.stringify(estimate.variants));
    return known ? addTimes(estimate, known, -1) : estimate;
  });
  return { counts, answered: answered.filter(({ requests, labels }) => requests > 0 || labels > 0) };
}
