import type { DropReason } from "./counters.ts";
import type { NamedTensor, RawTensor } from "./raw-tensor.ts";

/** One request's rows. */
export interface Work {
  readonly rows: number;
  /** In the order of the contract. */
  readonly inputs: readonly RawTensor[];
  /** Equal for work that may share a batch: all dimensions but the first one. */
  readonly shapeKey: string;
  /** Only this variant may serve it; null: any. */
  readonly variant: string | null;
  /** On the clock of performance.now(). */
  readonly deadlineMs: number;
}

export type WorkResult =
  | {
      readonly kind: "served";
      readonly variant: string;
      readonly outputs: readonly NamedTensor[];
      /** On the clock of performance.now(): when it was taken in, and when its first row was given to a session. */
      readonly queuedAtMs: number;
      readonly startedAtMs: number;
    }
  | { readonly kind: "dropped"; readonly reason: DropReason; readonly message: string };

/** Work that waits or runs. A request may be spread over several batches: its rows before `nextRow` were given away. */
export interface Entry {
  readonly work: Work;
  readonly queuedAtMs: number;
  readonly bytes: number;
  readonly pieces: (readonly NamedTensor[])[];
  nextRow: number;
  /** When its first row was given to a session; null: it waits. */
  startedAtMs: number | null;
  /** Sessions that were lost, or batches that failed, with it. From the first one on it runs alone. */
  failures: number;
  /** Sessions that were lost with it. */
  losses: number;
  settled: boolean;
  readonly settle: (result: WorkResult) => void;
}

/** Work that arrives now. `settle` is called once, with what became of it. */
export function createEntry(work: Work, bytes: number, settle: Entry["settle"]): Entry {
  const queuedAtMs = performance.now();
  const nothingYet = { nextRow: 0, startedAtMs: null, failures: 0, losses: 0, settled: false };
  return { work, bytes, queuedAtMs, pieces: [], ...nothingYet, settle };
}

export interface QueueLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** First in, first out, bounded in rows and bytes. */
export class WorkQueue {
  readonly #limits: QueueLimits;
  #entries: Entry[] = [];
  #rows = 0;
  #bytes = 0;
  /** No deadline in the queue is before this. */
  #soonestMs = Number.POSITIVE_INFINITY;
  #mostRows = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Rows that wait. */
  get rows(): number {
    return this.#rows;
  }

  /** Requests that wait, some of them perhaps in part. */
  get length(): number {
    return this.#entries.length;
  }

  /** No deadline of what waits is before this. */
  get soonestMs(): number {
    return this.#soonestMs;
  }

  /** No request has had more rows than this. */
  get mostRows(): number {
    return this.#mostRows;
  }

  get head(): Entry | undefined {
    return this.#entries[0];
  }

  /** Age of the oldest work that waits; 0: none waits. */
  ageMs(nowMs: number): number {
    return this.head ? nowMs - this.head.queuedAtMs : 0;
  }

  /** What stands against taking in this much more; null: nothing. */
  refusal(rows: number, bytes: number): string | null {
    if (this.#rows + rows > this.#limits.maxRows)
      return `${this.#rows} rows wait, ${rows} more are over the limit of ${this.#limits.maxRows}`;
    if (this.#bytes + bytes > this.#limits.maxBytes)
      return `${this.#bytes} bytes wait, ${bytes} more are over the limit of ${this.#limits.maxBytes}`;
    return null;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    this.#mostRows = Math.max(this.#mostRows, entry.work.rows);
    this.#soonestMs = Math.min(this.#soonestMs, entry.work.deadlineMs);
    this.#rows += entry.work.rows;
    this.#bytes += entry.bytes;
  }

  /** Takes work out for good: it was answered. */
  remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at < 0) return;
    this.#entries.splice(at, 1);
    this.#rows -= entry.work.rows - entry.nextRow;
    this.#bytes -= entry.bytes;
  }

  /** Gives `count` rows of the head away; all of them given, it leaves the queue. */
  advance(entry: Entry, count: number): void {
    entry.nextRow += count;
    this.#rows -= count;
    if (entry.nextRow < entry.work.rows) return;
    this.#entries.shift();
    this.#bytes -= entry.bytes;
  }

  /** Puts rows from `row` on back, before everything else. */
  putBack(entry: Entry, row: number): void {
    if (entry.nextRow >= entry.work.rows) {
      this.#entries.unshift(entry);
      this.#soonestMs = Math.min(this.#soonestMs, entry.work.deadlineMs);
      this.#bytes += entry.bytes;
    }
    this.#rows += entry.nextRow - row;
    entry.nextRow = row;
  }

  /** Whether so many rows wait, and the requests that the first ones belong to all are of a kind. */
  leads(rows: number, isOfKind: (entry: Entry) => boolean): boolean {
    let seen = 0;
    for (const entry of this.#entries) {
      if (!isOfKind(entry)) return false;
      seen += entry.work.rows - entry.nextRow;
      if (seen >= rows) return true;
    }
    return false;
  }

  /** The earliest deadline of the work that the next `rows` rows belong to. */
  earliestDeadlineMs(rows: number): number {
    let earliestMs = Number.POSITIVE_INFINITY;
    let seen = 0;
    for (const { work, nextRow } of this.#entries) {
      earliestMs = Math.min(earliestMs, work.deadlineMs);
      seen += work.rows - nextRow;
      if (seen >= rows) break;
    }
    return earliestMs;
  }

  /** Work whose deadline is not after this moment. Costs next to nothing while there is none. */
  dueBefore(atMs: number): readonly Entry[] {
    if (atMs < this.#soonestMs) return [];
    this.#soonestMs = this.#entries.reduce((soonest, { work }) => Math.min(soonest, work.deadlineMs), Infinity);
    return this.#entries.filter(entry => entry.work.deadlineMs <= atMs);
  }

  /** Requests of which some rows were given away, and others wait. */
  begun(): readonly Entry[] {
    return this.#entries.filter(({ nextRow }) => nextRow > 0);
  }

  all(): readonly Entry[] {
    return this.#entries.slice();
  }
}
