import { MAX_RATE_RPS } from "../domain/load.ts";
import type { Interval } from "../load/fill-seconds.ts";
import { seedOf } from "../load/scatter.ts";
import type { PrometheusSeries } from "./prometheus-answer.ts";

/** A scrape may be missed and its time be a little off: what lies further apart is a gap. */
const BRIDGED_INTERVALS = 2.2;
/** From the time of a scrape until its samples can be read. */
const COMMIT_MS = 1000;
/** With scrapes further apart there is no load to plan with. */
export const LONGEST_SCRAPE_INTERVAL_MS = 120_000;
const SHORTEST_SCRAPE_INTERVAL_MS = 100;

/** The median time between two points of a series; null where there are no two. */
export function scrapeIntervalOf(series: readonly PrometheusSeries[]): number | null {
  const stepsMs = series
    .flatMap(({ points }) => points.slice(1).map((point, i) => point.atMs - (points[i]?.atMs ?? 0)))
    .sort((a, b) => a - b);
  const median = stepsMs[Math.floor(stepsMs.length / 2)];
  if (median === undefined) return null;
  return Math.min(Math.max(median, SHORTEST_SCRAPE_INTERVAL_MS), LONGEST_SCRAPE_INTERVAL_MS);
}

/** How long a series that gives nothing new is waited for; from then on it counts as gone. */
export function awaitedForMs(intervalMs: number): number {
  return BRIDGED_INTERVALS * intervalMs + COMMIT_MS;
}

export interface CounterIntervals {
  readonly series: readonly (readonly Interval[])[];
  /** Points later than `afterMs` that are no count, and intervals with more than MAX_RATE_RPS. */
  readonly refused: number;
}

/**
 * What counters say of the time between their points: nothing across a gap, where the series counts as gone. How many arrived is
 * unknown where a counter was reset (what it counted before is lost, so what it shows would be too low), and where the rate can't be.
 */
export function intervalsOf(
  series: readonly PrometheusSeries[],
  intervalMs: number,
  afterMs: number,
): CounterIntervals {
  let refused = 0;
  const found = series.map(({ labels, points }) => {
    const intervals: Interval[] = [];
    const counts = points.filter(({ atMs, value }) => {
      const isCount = Number.isFinite(value) && value >= 0;
      if (!isCount && atMs > afterMs) refused += 1;
      return isCount;
    });
    counts.forEach((point, i) => {
      const before = counts[i - 1];
      if (before === undefined || point.atMs <= before.atMs) return;
      const spanMs = point.atMs - before.atMs;
      const count = point.value - before.value;
      if (spanMs > BRIDGED_INTERVALS * intervalMs) return;
      const isTooHigh = count > (MAX_RATE_RPS * spanMs) / 1000;
      if (isTooHigh && point.atMs > afterMs) refused += 1;
      intervals.push({
        fromMs: before.atMs,
        toMs: point.atMs,
        count: count >= 0 && !isTooHigh ? count : null,
        seed: seedOf(labels, point.atMs),
      });
    });
    return intervals;
  });
  return { series: found, refused };
}
