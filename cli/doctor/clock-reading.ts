/** How a server's clock stands against ours. */
export interface ClockReading {
  /** Ahead of ours. */
  readonly aheadMs: number;
  /** It may be off by this much: the time that the answer took, and the header's whole seconds. */
  readonly uncertainMs: number;
}

/**
 * From the `Date` header of an answer; null where it has none. The header is cut to whole seconds, so half a second is added to it.
 *
 * @param sentMs ms since 1970 by our clock, as `receivedMs`.
 */
export function readClock(date: string | undefined, sentMs: number, receivedMs: number): ClockReading | null {
  const theirMs = Date.parse(date ?? "");
  if (Number.isNaN(theirMs)) return null;
  return {
    aheadMs: theirMs + 500 - (sentMs + receivedMs) / 2,
    uncertainMs: 500 + (receivedMs - sentMs) / 2,
  };
}

/** How the first clock stands against the second, both of which were read by ours. */
export function between(first: ClockReading, second: ClockReading): ClockReading {
  return {
    aheadMs: first.aheadMs - second.aheadMs,
    uncertainMs: first.uncertainMs + second.uncertainMs,
  };
}
