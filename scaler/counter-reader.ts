import { fillSeconds } from "../load/fill-seconds.ts";
import { awaitedForMs, intervalsOf, LONGEST_SCRAPE_INTERVAL_MS, scrapeIntervalOf } from "./counter-intervals.ts";
import type { LoadRead, LoadReader } from "./load-reader.ts";
import type { PrometheusSeries } from "./prometheus-answer.ts";
import type { PrometheusClient } from "./prometheus-client.ts";

/** Until two scrapes have been seen. */
const USUAL_INTERVAL_MS = 15_000;
/** Read before the seconds that are asked for: their first interval began there, and the median needs some intervals. */
const LEAST_BEFORE_MS = 30_000;
const BEFORE_INTERVALS = 4;
const LEAST_RETRY_MS = 1000;
/** So long is a sample the load now. */
const STALE_INTERVALS = 4;
const LEAST_STALE_MS = 15_000;

/**
 * Reads counters at the scrapes themselves, by a range selector: neither smoothed nor extrapolated, and every second once all series
 * that are alive say what happened in it.
 */
export function counterReader(client: PrometheusClient, selector: string): LoadReader {
  let intervalMs = USUAL_INTERVAL_MS;
  let newestMs: number | null = null;
  return {
    get staleAfterMs() {
      return Math.max(LEAST_STALE_MS, STALE_INTERVALS * intervalMs);
    },
    read: async (fromMs, toMs) => {
      const windowMs = toMs - fromMs + Math.max(LEAST_BEFORE_MS, BEFORE_INTERVALS * intervalMs);
      const query = `${selector}[${Math.ceil(windowMs / 1000)}s]`;
      const { series, warnings } = await client.ask("query", { query, time: String(toMs / 1000) });
      const foundMs = scrapeIntervalOf(series);
      intervalMs = foundMs ?? intervalMs;
      const read = readSeconds(series, intervalMs, fromMs, toMs);
      newestMs = read.newestMs ?? newestMs;
      return {
        ...read,
        retryMs: foundMs === null ? LEAST_RETRY_MS : read.retryMs,
        missing: missingOf(newestMs, intervalMs, toMs),
        warnings,
      };
    },
  };
}

/** @param toMs when it was read: all that was scraped until then is there. */
export function readSeconds(
  series: readonly PrometheusSeries[],
  intervalMs: number,
  fromMs: number,
  toMs: number,
): Omit<LoadRead, "warnings" | "missing"> & { readonly newestMs: number | null } {
  const newest = series.flatMap(({ points }) => points.at(-1)?.atMs ?? []).filter(atMs => atMs <= toMs);
  const goneBeforeMs = toMs - awaitedForMs(intervalMs);
  const awaited = newest.filter(atMs => atMs > goneBeforeMs);
  // Until all series that are alive have been scraped, a second's sum is not known; what is older than that will never be.
  const knownToMs = awaited.length > 0 ? Math.min(...awaited) : goneBeforeMs;
  const readToMs = Math.max(fromMs, Math.floor(knownToMs / 1000) * 1000);
  const intervals = intervalsOf(series, intervalMs, fromMs);
  const filled = fillSeconds(intervals.series, fromMs, readToMs);
  return {
    samples: filled.samples,
    readToMs,
    refused: intervals.refused + filled.refused,
    nextMs: (awaited.length > 0 ? Math.min(...awaited) : toMs) + intervalMs,
    retryMs: Math.max(LEAST_RETRY_MS, intervalMs / 2),
    newestMs: newest.length > 0 ? Math.max(...newest) : null,
  };
}

/** Why there is no load at `toMs`; null: there is. `newestMs`: of the newest scrape that was ever seen. */
export function missingOf(newestMs: number | null, intervalMs: number, toMs: number): string | null {
  if (newestMs === null)
    return "there is no such series now: look whether the target is scraped, and at the names and labels";
  const ageMs = toMs - newestMs;
  if (ageMs > awaitedForMs(intervalMs))
    return `the newest scrape is ${Math.round(ageMs / 1000)} s old: look whether the target is up`;
  if (intervalMs >= LONGEST_SCRAPE_INTERVAL_MS)
    return `scrapes are ${LONGEST_SCRAPE_INTERVAL_MS / 1000} s apart or more: scrape more often`;
  return null;
}
