/** What balancing knows of one replica. */
export interface ReplicaLoad {
  /** Rows that it has not answered. */
  readonly outstandingRows: number;
  /** Milliseconds that it takes for one row. */
  readonly rowMs: number;
}

/** A call costs about half a millisecond on both sides together, so a call should hold a few times that much work. */
const WORTH_A_CALL_MS = 2;

/**
 * The one of two replicas, taken at random, that is done sooner with the rows that it has; null: there is none. Rows that are still to be sent
 * do not count: a replica that has nothing to do serves them in time, by a heavy variant too. Many gateways that see the same do not all
 * choose the same one.
 */
export function chooseOfTwo<T extends ReplicaLoad>(replicas: readonly T[], random: () => number): T | null {
  const at = Math.floor(random() * replicas.length);
  const other = Math.floor(random() * (replicas.length - 1));
  const [one = null, two = null] = [replicas[at], replicas[other < at ? other : other + 1]];
  if (one === null || two === null) return one;
  return workMs(two, 0) < workMs(one, 0) ? two : one;
}

/**
 * The calls for `rows` rows of one request, each to another replica and as large as it takes for all to be done at the same time. There are
 * no more calls than are worth their cost, and none is empty; without replicas there are none.
 *
 * Worked example: 18 rows of 0.5 ms are 9 ms of work, so that 9 idle replicas get 5 calls, of 4, 4, 4, 3 and 3 rows.
 */
export function splitRows<T extends ReplicaLoad>(
  rows: number,
  replicas: readonly T[],
  random: () => number,
): readonly { readonly replica: T; readonly rows: number }[] {
  const others = [...replicas];
  const meanRowMs = others.reduce((sum, { rowMs }) => sum + rowMs, 0) / Math.max(1, others.length);
  const mostCalls = Math.min(others.length, rows, Math.max(1, Math.ceil((rows * meanRowMs) / WORTH_A_CALL_MS)));
  const calls = Array.from({ length: mostCalls }, () => {
    const replica = chooseOfTwo(others, random) as T;
    others.splice(others.indexOf(replica), 1);
    return { replica, rows: 0 };
  });
  for (let row = 0; row < rows && calls.length > 0; row += 1) {
    const endMs = (call: (typeof calls)[number]): number => workMs(call.replica, call.rows + 1);
    calls.reduce((soonest, call) => (endMs(call) < endMs(soonest) ? call : soonest)).rows += 1;
  }
  return calls.filter(call => call.rows > 0);
}

/** Milliseconds until the replica is done with what it has and `rows` more. */
function workMs({ outstandingRows, rowMs }: ReplicaLoad, rows: number): number {
  return (outstandingRows + rows) * rowMs;
}
