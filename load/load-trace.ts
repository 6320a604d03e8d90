import type { LoadSample } from "../domain/load.ts";

/** The load of consecutive seconds. */
export interface LoadTrace {
  /** Where the first second begins. */
  readonly startMs: number;
  /** Requests offered in each second; NaN where it is not known, never 0. */
  readonly ratesRps: Float64Array;
}

/** Where loads without times begin: midnight of a Monday, which is no time of theirs and is never shown. */
export const UNDATED_START_MS = Date.UTC(1970, 0, 5);
/** Times below are counted from some start, and not from 1970. */
const LEAST_DATE_MS = 1e11;

/** Whether the load says when it was, and not only how its seconds follow each other. */
export function isDated({ startMs }: LoadTrace): boolean {
  return startMs >= LEAST_DATE_MS;
}

/** A time of a load as text: a date, or for a load without dates the time since its first second. */
export function timeText(trace: LoadTrace, atMs: number): string {
  return isDated(trace) ? new Date(atMs).toISOString() : `t+${(atMs - trace.startMs) / 1000} s`;
}

/** The seconds that are known, oldest first. */
export function* samplesOf(trace: LoadTrace): Generator<LoadSample> {
  for (const [second, rateRps] of trace.ratesRps.entries())
    if (!Number.isNaN(rateRps)) yield { atMs: trace.startMs + (second + 1) * 1000, rateRps };
}
