import type { LoadSample } from "../domain/load.ts";

/** The load of consecutive seconds. */
export interface LoadTrace {
  /** Where the first second begins. */
  readonly startMs: number;
  /** Requests offered in each second; NaN where it is not known, never 0. */
  readonly ratesRps: Float64Array;
}

/** The seconds that are known, oldest first. */
export function* samplesOf(trace: LoadTrace): Generator<LoadSample> {
  for (const [second, rateRps] of trace.ratesRps.entries())
    if (!Number.isNaN(rateRps)) yield { atMs: trace.startMs + (second + 1) * 1000, rateRps };
}
