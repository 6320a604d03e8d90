/** Requests of each second, and what can be asked of whoever does not know the next ones. */
export interface Rise {
  readonly counts: readonly number[];
  /** What comes from this second on is not known. */
  readonly fromSecond: number;
  /** What is asked for from then on serves from here on at the soonest. */
  readonly readySecond: number;
  readonly sloSeconds: number;
}

/**
 * Requests that no scheduling answers in time: of those that come from `fromSecond` until any second t, `capacityRps` serves no more than
 * (t − fromSecond + SLO) times its rate by the time that the last of them is late, as long as that is before anything new serves. Nothing
 * waits at the beginning. Worked: 10 rps of capacity, 30 requests a second, SLO of 2 s, pods after 12 s: of the 300 of 10 s at most 120 are in time.
 */
export function unavoidable(rise: Rise, capacityRps: number): number {
  let most = 0;
  eachWindow(rise, (come, seconds) => {
    most = Math.max(most, come - capacityRps * seconds);
  });
  return most;
}

/** The least capacity at `fromSecond` with which no more than `allowed` requests have to be late: what `unavoidable` says, solved for it. */
export function leastCapacityRps(rise: Rise, allowed: number): number {
  let least = 0;
  eachWindow(rise, (come, seconds) => {
    least = Math.max(least, (come - allowed) / seconds);
  });
  return least;
}

/** Every window from the beginning: what came in it, and for how long that can be served. */
function eachWindow(
  { counts, fromSecond, readySecond, sloSeconds }: Rise,
  see: (come: number, seconds: number) => void,
): void {
  let come = 0;
  for (let second = fromSecond; second < counts.length && second + 1 + sloSeconds <= readySecond; second++) {
    come += counts[second] ?? 0;
    see(come, second + 1 - fromSecond + sloSeconds);
  }
}
