import type { ChoiceReason } from "../domain/serving/choose-batch.ts";
import type { RungShare } from "./work-queue.ts";

/** Why work was not served. */
export type DropReason =
  | "queue_full"
  // To read it, or to put its batch together.
  | "no_memory"
  // It could not have been done in time, so it was not begun.
  | "would_be_late"
  // Its time was over while it waited …
  | "deadline"
  // … or while it ran.
  | "late"
  | "cancelled"
  | "not_ready"
  | "wrong_variant"
  | "model_failed"
  // What the model made of it breaks the stage's contract.
  | "bad_outputs"
  // The server that runs the model failed, not the request.
  | "remote_failed"
  | "session_lost";

export interface ServiceTime {
  readonly variant: string;
  readonly rows: number;
  readonly batches: number;
  readonly totalMs: number;
}

/** A batch that ran. */
export interface RanBatch {
  readonly variant: string;
  /** Why no heavier one ran it. */
  readonly why: ChoiceReason;
  readonly rows: number;
  /** Of the model alone. */
  readonly serviceMs: number;
  /** How long its oldest row was queued. */
  readonly waitedMs: number;
  /** Putting its inputs together. */
  readonly assembleMs: number;
  /** The way to the session and back. */
  readonly travelMs: number;
}

/** A request that has its answer. */
export interface ServedRequest {
  /** The variant of most of its rows, for which the request counts; rows count for the variants that served them. */
  readonly variant: string;
  readonly shares: readonly RungShare[];
  /** Until its first row ran. */
  readonly waitedMs: number;
  readonly totalMs: number;
}

export interface DroppedRequest {
  readonly rows: number;
  readonly reason: DropReason;
  /** What was served meanwhile; null: nothing was. */
  readonly variant: string | null;
  readonly totalMs: number;
}

/** The rung that the ladder would have chosen for rows that the planned variant serves. */
interface ShadowChoice {
  readonly variant: string;
  readonly rows: number;
}

/** Is told what happens to work. */
export interface WorkObserver {
  offered(rows: number): void;
  dropped(request: DroppedRequest): void;
  ran(batch: RanBatch): void;
  served(request: ServedRequest): void;
  countShadow(choice: ShadowChoice): void;
}

/** How often something happened, and how long it took in total. */
export interface Duration {
  count: number;
  ms: number;
}

/** How many batches ran, and how long the parts of their way took in total. */
export interface BatchTotals {
  count: number;
  assembleMs: number;
  serviceMs: number;
  travelMs: number;
}

/** Everything that happened to one variant since the switcher started. */
export class VariantCounters {
  /** Milliseconds since 1970; 0: never. */
  lastServedMs = 0;
  servedRows = 0;
  /** Rows that the ladder would have chosen it for. */
  shadowRows = 0;
  /** Sessions whose thread crashed or hung. */
  lostSessions = 0;
  readonly success: Duration = { count: 0, ms: 0 };
  readonly fail: Duration = { count: 0, ms: 0 };
  readonly queue: Duration = { count: 0, ms: 0 };
  readonly batches = createTotals();
  readonly batchesByRows = new Map<number, BatchTotals>();
  readonly batchesByReason = new Map<ChoiceReason, number>();
}

/** Everything that happened since the switcher started. */
export class Counters implements WorkObserver {
  readonly #variants: ReadonlyMap<string, VariantCounters>;
  readonly #onRan: (batch: RanBatch) => void;
  readonly #dropped = new Map<DropReason, { rows: number; requests: number }>();
  #offeredRows = 0;

  /** `onRan` is told of each batch as well. */
  constructor(variants: readonly string[], onRan: (batch: RanBatch) => void) {
    this.#variants = new Map(variants.map(name => [name, new VariantCounters()]));
    this.#onRan = onRan;
  }

  get offeredRows(): number {
    return this.#offeredRows;
  }

  get servedRows(): number {
    return this.#sum(({ servedRows }) => servedRows);
  }

  get servedRequests(): number {
    return this.#sum(({ success }) => success.count);
  }

  get droppedRows(): number {
    return this.dropsByReason().reduce((sum, { rows }) => sum + rows, 0);
  }

  dropsByReason(): readonly { readonly reason: DropReason; readonly rows: number; readonly requests: number }[] {
    return Array.from(this.#dropped, ([reason, counts]) => ({ reason, ...counts }));
  }

  /** Gives the counters of one of this switcher's variants. */
  find(variant: string): VariantCounters {
    return this.#variants.get(variant) ?? new VariantCounters();
  }

  /** Per variant and number of rows in a batch. */
  serviceTimes(): readonly ServiceTime[] {
    return [...this.#variants].flatMap(([variant, { batchesByRows }]) =>
      Array.from(batchesByRows, ([rows, { count: batches, serviceMs: totalMs }]) => ({
        variant,
        rows,
        batches,
        totalMs,
      })),
    );
  }

  offered(rows: number): void {
    this.#offeredRows += rows;
  }

  served({ variant, shares, waitedMs, totalMs }: ServedRequest): void {
    const nowMs = Date.now();
    for (const share of shares) {
      const counters = this.find(share.variant);
      counters.lastServedMs = nowMs;
      counters.servedRows += share.rows;
    }
    const { success, queue } = this.find(variant);
    addDuration(success, totalMs);
    addDuration(queue, waitedMs);
  }

  dropped({ rows, reason, variant, totalMs }: DroppedRequest): void {
    const counts = this.#dropped.get(reason) ?? { rows: 0, requests: 0 };
    counts.rows += rows;
    counts.requests++;
    this.#dropped.set(reason, counts);
    if (variant !== null) addDuration(this.find(variant).fail, totalMs);
  }

  ran(batch: RanBatch): void {
    const { batches, batchesByRows, batchesByReason } = this.find(batch.variant);
    batchesByReason.set(batch.why, (batchesByReason.get(batch.why) ?? 0) + 1);
    const alike = batchesByRows.get(batch.rows) ?? createTotals();
    batchesByRows.set(batch.rows, alike);
    for (const totals of [batches, alike]) {
      totals.count++;
      totals.assembleMs += batch.assembleMs;
      totals.serviceMs += batch.serviceMs;
      totals.travelMs += batch.travelMs;
    }
    this.#onRan(batch);
  }

  countShadow({ variant, rows }: ShadowChoice): void {
    this.find(variant).shadowRows += rows;
  }

  countLoss(variant: string): void {
    this.find(variant).lostSessions++;
  }

  #sum(read: (counters: VariantCounters) => number): number {
    return [...this.#variants.values()].reduce((sum, counters) => sum + read(counters), 0);
  }
}

function createTotals(): BatchTotals {
  return { count: 0, assembleMs: 0, serviceMs: 0, travelMs: 0 };
}

function addDuration(duration: Duration, ms: number): void {
  duration.count++;
  duration.ms += ms;
}
