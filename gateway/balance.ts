/** What balancing knows of one replica. */
export interface ReplicaLoad {
  /** Rows sent to it that it has not answered. */
  readonly outstandingRows: number;
  /** Expected service time of one row. */
  readonly rowMs: number;
}

/** Expected time until the replica is done with what it has and `rows` more. */
export function expectedWorkMs(load: ReplicaLoad, rows: number): number {
  return (load.outstandingRows + rows) * load.rowMs;
}

/**
 * The replica with the least expected work, null when there is none. Ties are broken at random: many gateways that see the same
 * must not all pick the same one.
 */
export function leastWork<T extends ReplicaLoad>(replicas: Iterable<T>, rows: number, random: () => number): T | null {
  let best: T | null = null;
  let least = Number.POSITIVE_INFINITY;
  let ties = 0;
  for (const replica of replicas) {
    const work = expectedWorkMs(replica, rows);
    if (best === null || work < least) {
      best = replica;
      least = work;
      ties = 1;
    } else if (work === least) {
      // Reservoir sampling: each of the k tied ones is kept with probability 1/k.
      ties += 1;
      if (random() * ties < 1) best = replica;
    }
  }
  return best;
}

/** A call costs about half a millisecond on both sides together, so a chunk should hold a few times that much work. */
const WORTH_A_CALL_MS = 2;

/**
 * Rows of one call when `rows` rows go to `replicas` replicas: an even spread, but not less than is worth a call and not more
 * than the replicas' batch, unless that is not worth a call.
 *
 * Worked example: 18 rows of 0.5 ms over 9 replicas would be 2 a call, but a call should hold 2 ms of work: 4 rows, 5 calls.
 */
export function chunkRows(rows: number, replicas: number, rowMs: number, batch: number | null): number {
  const even = Math.ceil(rows / Math.max(1, replicas));
  const worthwhile = Math.ceil(WORTH_A_CALL_MS / Math.max(rowMs, 0.01));
  return Math.max(1, Math.min(Math.max(Math.min(even, batch ?? even), worthwhile), rows));
}
