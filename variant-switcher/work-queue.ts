import type { Choice } from "../domain/serving/choose-batch.ts";
import { findLimit, type KeptRung, KeptRungs, type Key, keepAtMost } from "../domain/serving/kept-rungs.ts";
import type { Call, ExpectedCall } from "../domain/serving/ladder.ts";
import { WaitingCalls } from "../domain/serving/waiting-calls.ts";
import type { DropReason } from "./counters.ts";
import type { NamedTensor, RawTensor } from "./raw-tensor.ts";
import type { Serving } from "./replica-ladder.ts";

/** One request's rows. All times are on the clock of performance.now(). */
export interface Work {
  readonly rows: number;
  /** In the order of the contract. */
  readonly inputs: readonly RawTensor[];
  /** Equal for work that may share a batch: all dimensions but the first one. */
  readonly shapeKey: string;
  /** Only this variant may serve it; null: any. */
  readonly variant: string | null;
  /** Nothing more accurate than this variant may serve it, as its caller says, or what calls of the same keys before it were served by. */
  readonly keeps: { readonly atMost: string } | { readonly keys: readonly Key[] };
  /** Choices aim at this time. */
  readonly softMs: number;
  /** Refusals look at this time. */
  readonly hardMs: number;
  /** After this time nobody waits for the answer. */
  readonly deadlineMs: number;
}

/** How many rows of a request a variant has served. */
export interface RungShare {
  readonly variant: string;
  readonly rows: number;
}

export type WorkResult =
  | (Choice & {
      readonly kind: "served";
      /** The variant of most of its rows; the choice is that of its first batch by it. */
      readonly variant: string;
      /** In the order in which they served. */
      readonly shares: readonly RungShare[];
      /** The variants that served it with their numbers of rows, in the order of the rows. */
      readonly pieces: readonly RungShare[];
      readonly outputs: readonly NamedTensor[];
      /** On the clock of performance.now(): when it was taken in, and when its first row was given to a session. */
      readonly queuedAtMs: number;
      readonly startedAtMs: number;
    })
  | { readonly kind: "dropped"; readonly reason: DropReason; readonly message: string };

/** Rows of a request that one batch has served. */
export interface ServedPiece extends RungShare, Choice {
  readonly outputs: readonly NamedTensor[];
}

/** Work that waits or runs. A request may be spread over several batches: `rows` of it wait, those before them were given away. */
export interface Entry extends Call {
  /** Work that failed before shares its batch with nothing, and so has a shape of its own. */
  shape: string;
  readonly kept: readonly KeptRung[];
  readonly work: Work;
  readonly queuedAtMs: number;
  readonly bytes: number;
  readonly pieces: ServedPiece[];
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
export function createEntry(work: Work, bytes: number, kept: Entry["kept"], settle: Entry["settle"]): Entry {
  const { rows, shapeKey: shape, softMs, hardMs, variant } = work;
  const call = { rows, shape, softMs, hardMs, variant, isBound: variant !== null };
  const nothingYet = { pieces: [], startedAtMs: null, failures: 0, losses: 0, settled: false };
  return { ...call, ...nothingYet, kept, work, bytes, queuedAtMs: performance.now(), settle };
}

/** The first row of the request that waits. */
export function findNextRow({ work, rows }: Entry): number {
  return work.rows - rows;
}

/** Where more calls wait, not every arrival looks through them, so that the work for each stays that of so many. */
const LOOKED_AT = 256;

export interface QueueLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** The calls that wait, in the order of their soft deadlines, bounded in rows and bytes. */
export class WorkQueue {
  readonly #limits: QueueLimits;
  readonly #waiting = new WaitingCalls<Entry>();
  readonly #kept = new KeptRungs(() => performance.now());
  #bytes = 0;
  #arrivals = 0;
  /** No deadline in the queue is before this. */
  #soonestMs = Number.POSITIVE_INFINITY;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Rows that wait. */
  get rows(): number {
    return this.#waiting.rows;
  }

  /** Requests that wait, some of them perhaps in part. */
  get calls(): readonly Entry[] {
    return this.#waiting.calls;
  }

  /** One more call that comes now; null: none came yet. */
  expectCall(nowMs: number): ExpectedCall | null {
    return this.#waiting.expectCall(nowMs);
  }

  /** No deadline of what waits is before this. */
  get soonestMs(): number {
    return this.#soonestMs;
  }

  /** Age of the oldest work that waits; 0: none waits. */
  ageMs(nowMs: number): number {
    return this.calls.reduce((oldest, { queuedAtMs }) => Math.max(oldest, nowMs - queuedAtMs), 0);
  }

  /** Says what stands against taking in this much more; null: nothing does. */
  refusal(rows: number, bytes: number): string | null {
    if (this.rows + rows > this.#limits.maxRows)
      return `${this.rows} rows wait, ${rows} more are over the limit of ${this.#limits.maxRows}`;
    if (this.#bytes + bytes > this.#limits.maxBytes)
      return `${this.#bytes} bytes wait, ${bytes} more are over the limit of ${this.#limits.maxBytes}`;
    return null;
  }

  /** Whether the newest arrival is one of those for which everything that waits is looked through. */
  isLookedThrough(): boolean {
    return this.#arrivals % Math.ceil(this.calls.length / LOOKED_AT) === 0;
  }

  add(entry: Entry): void {
    this.#arrivals += 1;
    this.#waiting.add(entry, entry.queuedAtMs);
    this.#soonestMs = Math.min(this.#soonestMs, entry.work.deadlineMs);
    this.#bytes += entry.bytes;
  }

  /** Takes work out for good: it was answered. */
  remove(entry: Entry): void {
    if (this.#waiting.remove(entry)) this.#bytes -= entry.bytes;
  }

  /** The rungs that work keeps which arrives now. Where there is one rung, nothing is remembered. */
  findKept({ keeps, variant }: Work, serving: Pick<Serving, "lighter"> | null): Entry["kept"] {
    if (variant !== null || serving?.lighter.length === 0) return [];
    return "atMost" in keeps ? keepAtMost(keeps.atMost) : this.#kept.find(keeps.keys);
  }

  /** Gives rows away to a batch of `variant`; all of them given, the call leaves the queue. */
  take(entry: Entry, rows: number, variant: string): void {
    this.#kept.settle(entry.kept, findLimit(entry.kept), variant);
    this.#waiting.take(entry, rows, variant);
    if (entry.rows === 0) this.#bytes -= entry.bytes;
  }

  /** Lets the rows from `row` on wait again. A call of which no row was served has no rung to keep. */
  putBack(entry: Entry, row: number): void {
    if (row === 0) entry.variant = entry.work.variant;
    if (entry.rows === 0) {
      this.#soonestMs = Math.min(this.#soonestMs, entry.work.deadlineMs);
      this.#bytes += entry.bytes;
    }
    this.#waiting.giveBack(entry, findNextRow(entry) - row);
  }

  /** Work whose deadline is not after this moment. Costs next to nothing while there is none. */
  dueBefore(atMs: number): readonly Entry[] {
    if (atMs < this.#soonestMs) return [];
    this.#soonestMs = this.calls.reduce((soonest, { work }) => Math.min(soonest, work.deadlineMs), Infinity);
    return this.calls.filter(({ work }) => work.deadlineMs <= atMs);
  }
}
