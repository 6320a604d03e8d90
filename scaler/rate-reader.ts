import { isRate } from "../domain/load.ts";
import { fillSeconds, type Interval } from "../load/fill-seconds.ts";
import { seedOf } from "../load/scatter.ts";
import type { LoadReader } from "./load-reader.ts";
import type { PrometheusAnswer } from "./prometheus-answer.ts";
import type { PrometheusClient } from "./prometheus-client.ts";

/** Points of one answer; Prometheus gives at most 11,000. */
const MOST_POINTS = 5000;
const STALE_STEPS = 4;
const LEAST_STALE_MS = 15_000;

/** Reads an expression of requests a second, by range queries: its value at a time is taken for the step that ends there. */
export function rateReader(client: PrometheusClient, expression: string): LoadReader {
  const { stepMs } = client.options;
  return {
    staleAfterMs: Math.max(LEAST_STALE_MS, STALE_STEPS * stepMs),
    read: async (fromMs, toMs) => {
      const firstMs = (Math.floor(fromMs / stepMs) + 1) * stepMs;
      const lastMs = Math.min(Math.floor(toMs / stepMs) * stepMs, firstMs + (MOST_POINTS - 1) * stepMs);
      const waits = { nextMs: Math.max(lastMs, firstMs - stepMs) + stepMs, retryMs: stepMs };
      if (lastMs < firstMs) return { samples: [], readToMs: fromMs, refused: 0, missing: null, warnings: [], ...waits };
      const answer = await client.ask("query_range", {
        query: expression,
        start: String(firstMs / 1000),
        end: String(lastMs / 1000),
        step: String(stepMs / 1000),
      });
      const { intervals, refused } = stepsOf(answer, expression, stepMs, lastMs);
      const filled = fillSeconds([intervals], firstMs - stepMs, lastMs);
      const missing = intervals.length > 0 || refused > 0 ? null : "the query gives no value now";
      return {
        samples: filled.samples,
        readToMs: lastMs,
        refused: refused + filled.refused,
        missing,
        warnings: answer.warnings,
        ...waits,
      };
    },
  };
}

/** One interval a step, over the sum of all series; none where one of them is no rate. */
function stepsOf(
  { series }: PrometheusAnswer,
  expression: string,
  stepMs: number,
  lastMs: number,
): { readonly intervals: readonly Interval[]; readonly refused: number } {
  const sums = new Map<number, number>();
  for (const { points } of series)
    for (const { atMs, value } of points)
      if (atMs <= lastMs) sums.set(atMs, isRate(value) ? (sums.get(atMs) ?? 0) + value : Number.NaN);
  const all = [...sums].sort(([a], [b]) => a - b);
  const intervals = all
    .filter(([, rateRps]) => isRate(rateRps))
    .map(([atMs, rateRps]) => ({
      fromMs: atMs - stepMs,
      toMs: atMs,
      count: (rateRps * stepMs) / 1000,
      seed: seedOf(expression, atMs),
    }));
  return { intervals, refused: all.length - intervals.length };
}
