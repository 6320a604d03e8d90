import type { SimReplica } from "./sim-replica.ts";

/** Replicas that serve the same variant in the same batches, by how many rows they have. */
export interface Group {
  readonly rowMs: number;
  readonly batch: number;
  readonly byRows: SimReplica[][];
  /** No replica has fewer. */
  least: number;
  count: number;
}

/**
 * The open replicas of one stage, so that the one with the least expected work is found without looking at all of them. Picks as
 * `leastWork` of the gateway does: ties are broken at random.
 */
export class WorkIndex {
  readonly #groups: Group[] = [];

  add(replica: SimReplica): void {
    let group = this.#groupOf(replica);
    if (!group) {
      group = { rowMs: replica.rowMs, batch: replica.batch, byRows: [], least: 0, count: 0 };
      this.#groups.push(group);
    }
    put(group, replica);
  }

  /** Before the time of its rows changes, and where it gets no more work. */
  remove(replica: SimReplica): void {
    if (replica.group) take(replica.group, replica);
    replica.group = null;
  }

  /** Null: there is none. */
  pick(rows: number, random: () => number): SimReplica | null {
    let best: SimReplica[] | null = null;
    let leastMs = Number.POSITIVE_INFINITY;
    for (const group of this.#groups) {
      if (group.count === 0) continue;
      while ((group.byRows[group.least]?.length ?? 0) === 0) group.least += 1;
      const workMs = (group.least + rows) * group.rowMs;
      if (workMs >= leastMs) continue;
      leastMs = workMs;
      best = group.byRows[group.least] as SimReplica[];
    }
    if (best === null) return null;
    return (best.length === 1 ? best[0] : best[Math.floor(random() * best.length)]) ?? null;
  }

  /** Least time of a row and smallest batch; infinite where there is no replica. */
  get least(): { readonly rowMs: number; readonly batch: number } {
    let rowMs = Number.POSITIVE_INFINITY;
    let batch = Number.POSITIVE_INFINITY;
    for (const group of this.#groups) {
      if (group.count === 0) continue;
      rowMs = Math.min(rowMs, group.rowMs);
      batch = Math.min(batch, group.batch);
    }
    return { rowMs, batch };
  }

  #groupOf({ rowMs, batch }: SimReplica): Group | undefined {
    for (const group of this.#groups) if (group.rowMs === rowMs && group.batch === batch) return group;
    return undefined;
  }
}

/** The replica has so many rows more. */
export function regroup(group: Group, replica: SimReplica, rows: number): void {
  take(group, replica);
  replica.outstandingRows += rows;
  put(group, replica);
}

function take(group: Group, replica: SimReplica): void {
  const bucket = group.byRows[replica.outstandingRows] as SimReplica[];
  const last = bucket.pop() as SimReplica;
  if (last !== replica) {
    bucket[replica.place] = last;
    last.place = replica.place;
  }
  group.count -= 1;
}

function put(group: Group, replica: SimReplica): void {
  const rows = replica.outstandingRows;
  replica.group = group;
  while (group.byRows.length <= rows) group.byRows.push([]);
  const bucket = group.byRows[rows] as SimReplica[];
  replica.place = bucket.length;
  bucket.push(replica);
  group.least = group.count === 0 ? rows : Math.min(group.least, rows);
  group.count += 1;
}
