/** What happened to the requests of some time. */
export interface Served {
  /** Answered within the SLO. */
  readonly inTime: number;
  readonly late: number;
  readonly dropped: number;
  readonly lost: number;
}

/**
 * Share of all requests that are right and in time: accuracy · P[latency ≤ SLO], with everything that is late, dropped or lost
 * counted as wrong (Model-Switching, HotCloud 2020). Assumes that requests in time are as likely to be right as others. 1 where
 * there were no requests: nothing went wrong.
 */
export function effectiveAccuracy(accuracy: number, { inTime, late, dropped, lost }: Served): number {
  const all = inTime + late + dropped + lost;
  return all > 0 ? (accuracy * inTime) / all : 1;
}
