import type { LoadSample } from "../domain/load.ts";
import { LOAD_STALE_AFTER_MS } from "./load-source.ts";

/** The load now; null: nothing came yet. One from the future was taken before the clock was set back. */
export function newestSample(
  before: LoadSample | null,
  samples: readonly LoadSample[],
  nowMs: number,
  staleAfterMs: number,
): LoadSample | null {
  let newest = before;
  for (const sample of samples)
    if (newest === null || sample.atMs > newest.atMs || newest.atMs > nowMs + staleAfterMs) newest = sample;
  return withArrivals(newest, samples);
}

/** Seconds that come many at a time: the newest one with arrivals, so that a pipeline is not idle for one without. */
function withArrivals(newest: LoadSample | null, samples: readonly LoadSample[]): LoadSample | null {
  if (newest === null || newest.rateRps > 0) return newest;
  const recent = samples.filter(({ atMs }) => Math.abs(newest.atMs - atMs) <= LOAD_STALE_AFTER_MS);
  return recent.findLast(({ rateRps }) => rateRps > 0) ?? newest;
}
