import { performance } from "node:perf_hooks";

/** The two clocks of a machine that time since a renewal is measured by. */
export interface LeaseTime {
  /** Never set; stands still where the whole machine sleeps. */
  monotonicMs(): number;
  /** Milliseconds since 1970; may be set. */
  wallMs(): number;
}

export const systemTime: LeaseTime = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

/** One moment by both clocks. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function momentOf(time: LeaseTime): Moment {
  return { monotonicMs: time.monotonicMs(), wallMs: time.wallMs() };
}

/** Since a moment, by the clock that ran further: time that one of them slept, or was set back by, has passed all the same. */
export function longestSince(moment: Moment, time: LeaseTime): number {
  return Math.max(time.monotonicMs() - moment.monotonicMs, time.wallMs() - moment.wallMs);
}
