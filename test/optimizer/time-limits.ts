import type { TimeLimit } from "../../optimizer/effort.ts";

/** Ends a search at its first look at the clock: the least that a limit can leave. */
export const NONE: TimeLimit = { ms: 0, clock: () => 0 };
export const ENDLESS: TimeLimit = { ms: Infinity, clock: () => 0 };

/** A clock that every look moves on by 1 ms. */
export function looks(ms: number): TimeLimit {
  let now = 0;
  return { ms, clock: () => now++ };
}
