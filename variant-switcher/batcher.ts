import type { StageContract } from "../domain/tensor.ts";
import { assembleBatch } from "./batch-input.ts";
import { joinPieces, splitOutputs } from "./batch-output.ts";
import { BufferPool } from "./buffer-pool.ts";
import type { Counters, DropReason, WorkObserver } from "./counters.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import type { ModelSession, RunResult } from "./session.ts";
import { type RunningBatch, type Serving, takeBatch } from "./take-batch.ts";
import { createEntry, type Entry, type QueueLimits, type Work, WorkQueue, type WorkResult } from "./work-queue.ts";

/** How often work is looked through for passed deadlines. */
const SWEEP_MS = 20;
/** A request that fails this often, the last times alone in its batch, is at fault itself. */
const MAX_FAILURES = 2;
/** Batches that a session has at most: one that runs and one that is next. */
const MAX_AHEAD = 2;

export interface BatcherOptions {
  readonly contract: StageContract;
  readonly limits: QueueLimits;
  readonly counters: Counters;
  readonly observer: WorkObserver;
  /** Why new work is not taken in at all; null: it is. */
  readonly refusal: () => string | null;
  /** The serving session crashed or hung. Its work waits until `serve` is called again. */
  readonly onLost: (session: ModelSession, reason: string) => void;
}

/** Work that was handed in. */
export interface Ticket {
  readonly result: Promise<WorkResult>;
  /** The client went away: what did not run yet never will. */
  cancel(): void;
}

/**
 * Feeds the serving session. Work-conserving: an idle session takes what waits, at most `batch` rows, at once. All rows of a
 * request are served by one variant: a new session takes over when nothing runs and no request is half served.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #queue: WorkQueue;
  readonly #buffers: BufferPool;
  #serving: Serving | null = null;
  #next: { readonly serving: Serving; readonly swapped: () => void } | null = null;
  readonly #running: RunningBatch[] = [];
  #waitTimer: NodeJS.Timeout | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#queue = new WorkQueue(options.limits);
    this.#buffers = new BufferPool(options.limits.maxBytes);
  }

  get serving(): Serving | null {
    return this.#serving;
  }

  get queuedRows(): number {
    return this.#queue.rows;
  }

  queueAgeMs(): number {
    return this.#queue.ageMs(performance.now());
  }

  /** The result says what became of the work and never rejects. */
  submit(work: Work): Ticket {
    const { observer } = this.#options;
    observer.offered(work.rows);
    const bytes = work.inputs.reduce((sum, input) => sum + input.bytes.length, 0);
    const notReady = this.#options.refusal();
    const message = notReady ?? this.#queue.refusal(work.rows, bytes);
    if (message !== null) {
      const reason = notReady === null ? "queue_full" : "not_ready";
      observer.dropped({ rows: work.rows, reason, variant: this.#servedVariant(), totalMs: 0 });
      return { result: Promise.resolve<WorkResult>({ kind: "dropped", reason, message }), cancel: () => undefined };
    }
    let settle: Entry["settle"] = () => undefined;
    const result = new Promise<WorkResult>(resolve => {
      settle = resolve;
    });
    const entry = createEntry(work, bytes, settle);
    this.#queue.add(entry);
    this.#pump();
    return { result, cancel: () => this.#drop(entry, "cancelled", "the client went away") };
  }

  /** Resolves when `serving` has taken over. An earlier call that still waits is overtaken: it resolves as well. */
  serve(serving: Serving): Promise<void> {
    return new Promise(resolve => {
      this.#next?.swapped();
      this.#next = { serving, swapped: resolve };
      this.#pump();
    });
  }

  /** Resolves when nothing waits or runs. */
  whenIdle(): Promise<void> {
    return new Promise(resolve => {
      this.#idle.push(resolve);
      this.#tellIdle();
    });
  }

  /** Refuses everything that still waits. */
  dropAll(reason: DropReason, message: string): void {
    for (const entry of this.#queue.all()) this.#drop(entry, reason, message);
  }

  #pump(): void {
    if (this.#running.length === 0) this.#swap();
    while (this.#serving && this.#mayStart(this.#serving)) {
      this.#dropExpired();
      if (this.#mustWait(this.#serving)) break;
      const batch = takeBatch(this.#queue, this.#serving, (entry, message) =>
        this.#drop(entry, "wrong_variant", message),
      );
      if (!batch) break;
      void this.#run(batch);
    }
    this.#tellIdle();
    this.#sweepLater();
  }

  /**
   * An idle session takes anything. A second batch is handed over ahead of its time, so that the session does not idle while
   * word of the first one travels, where that costs nothing: it is full, no other session is about to take over, no request is
   * in both, no deadline may pass before it begins, and nothing that failed before is in either: were the session lost again,
   * the other batch would be blamed.
   */
  #mayStart(serving: Serving): boolean {
    if (this.#running.length === 0) return true;
    const { head, rows } = this.#queue;
    if (this.#running.length >= MAX_AHEAD || this.#next || rows < serving.batch || head?.nextRow !== 0) return false;
    const suspects = [head, ...this.#running.flatMap(({ parts }) => parts.map(({ entry }) => entry))];
    if (suspects.some(({ failures }) => failures > 0)) return false;
    const expectedMs = this.#options.counters.expectedMs(serving.session.variant, serving.batch);
    return expectedMs > 0 && this.#queue.earliestDeadlineMs(serving.batch) > performance.now() + 2 * expectedMs;
  }

  #swap(): void {
    const head = this.#queue.head;
    if (!this.#next || (head && head.nextRow > 0 && this.#serving)) return;
    this.#serving = this.#next.serving;
    this.#next.swapped();
    this.#next = null;
  }

  #mustWait(serving: Serving): boolean {
    clearTimeout(this.#waitTimer);
    const { head } = this.#queue;
    if (serving.maxWaitMs <= 0 || !head || this.#queue.rows >= serving.batch) return false;
    const leftMs = serving.maxWaitMs - this.#queue.ageMs(performance.now());
    if (leftMs <= 0) return false;
    this.#waitTimer = setTimeout(() => this.#pump(), leftMs);
    return true;
  }

  async #run(batch: RunningBatch): Promise<void> {
    this.#running.push(batch);
    const { contract, counters } = this.#options;
    const { session } = batch.serving;
    const startMs = performance.now();
    for (const { entry } of batch.parts) entry.startedAtMs ??= startMs;
    const inputs = assembleBatch(
      contract,
      batch.parts.map(({ entry, from, to }) => ({ inputs: entry.work.inputs, from, to })),
      this.#buffers,
    );
    const names = contract.outputs.map(output => output.name);
    const handedOverMs = performance.now();
    const result = await session.run(inputs, names, counters.expectedMs(session.variant, batch.rows));
    const at = this.#running.indexOf(batch);
    // It was given back when the batch before it lost the session.
    if (at < 0) return;
    this.#running.splice(at, 1);
    if (result.kind === "ran")
      this.#options.observer.ran({
        variant: session.variant,
        rows: batch.rows,
        serviceMs: result.serviceMs,
        waitedMs: startMs - (batch.parts[0]?.entry.queuedAtMs ?? startMs),
        assembleMs: handedOverMs - startMs,
        travelMs: performance.now() - handedOverMs - result.serviceMs,
      });
    this.#finish(batch, result);
    this.#pump();
  }

  #finish(batch: RunningBatch, result: RunResult): void {
    const { session } = batch.serving;
    switch (result.kind) {
      case "ran":
        for (const buffer of result.spare) this.#buffers.give(buffer);
        this.#share(batch, result.outputs);
        break;
      case "failed":
        this.#retry(batch, "model_failed", `the model can't run on this input: ${result.message}`);
        break;
      case "lost":
        if (this.#serving?.session === session) this.#serving = null;
        this.#giveBack();
        this.#retry(batch, "session_lost", `the model's session was lost twice with this request: ${result.reason}`);
        this.#options.onLost(session, result.reason);
        break;
      default:
        result satisfies never;
    }
  }

  /** Gives every request of the batch its rows of the outputs. */
  #share(batch: RunningBatch, outputs: readonly NamedTensor[]): void {
    const counts = batch.parts.map(part => part.to - part.from);
    const pieces = splitOutputs(this.#options.contract, outputs, counts);
    if (typeof pieces === "string") {
      this.#retry(batch, "model_failed", pieces);
      return;
    }
    for (const [i, { entry, to }] of batch.parts.entries()) {
      entry.pieces.push(pieces[i] ?? []);
      if (to === entry.work.rows) this.#complete(entry, batch.serving.session.variant);
    }
  }

  #complete(entry: Entry, variant: string): void {
    if (entry.settled) return;
    const outputs = joinPieces(entry.pieces);
    if (!outputs) {
      this.#drop(entry, "model_failed", "the request's batches gave outputs of different shapes");
      return;
    }
    entry.settled = true;
    const waitedMs = (entry.startedAtMs ?? entry.queuedAtMs) - entry.queuedAtMs;
    const totalMs = performance.now() - entry.queuedAtMs;
    this.#options.observer.served({ variant, rows: entry.work.rows, waitedMs, totalMs });
    entry.settle({ kind: "served", variant, outputs });
  }

  /** Puts back what a lost session had not begun with. */
  #giveBack(): void {
    for (const { parts } of this.#running.splice(0).toReversed())
      for (const { entry, from } of parts.toReversed()) if (!entry.settled) this.#queue.putBack(entry, from);
  }

  /** Lets each request of the batch run again, alone, from where the batch took it; whoever failed alone is dropped. */
  #retry(batch: RunningBatch, reason: DropReason, message: string): void {
    const alone = batch.parts.length === 1;
    for (const { entry, from } of batch.parts.toReversed()) {
      entry.failures++;
      const final = entry.failures >= MAX_FAILURES || (reason === "model_failed" && alone);
      if (entry.settled) continue;
      // Rows that another variant serves must not be joined with earlier ones, so a request starts over.
      this.#queue.putBack(entry, reason === "session_lost" ? 0 : from);
      if (reason === "session_lost") entry.pieces.length = 0;
      if (final) this.#drop(entry, reason, message);
    }
  }

  #dropExpired(): void {
    const nowMs = performance.now();
    for (const entry of this.#queue.expired(nowMs)) {
      const lateMs = Math.round(nowMs - entry.queuedAtMs);
      this.#drop(entry, "deadline", `the deadline passed after ${lateMs} ms, before the request could run`);
    }
  }

  #drop(entry: Entry, reason: DropReason, message: string): void {
    if (entry.settled) return;
    entry.settled = true;
    this.#queue.remove(entry);
    const totalMs = performance.now() - entry.queuedAtMs;
    this.#options.observer.dropped({ rows: entry.work.rows, reason, variant: this.#servedVariant(), totalMs });
    entry.settle({ kind: "dropped", reason, message });
  }

  #servedVariant(): string | null {
    return this.#serving?.session.variant ?? null;
  }

  #sweepLater(): void {
    if (this.#sweepTimer || this.#queue.rows === 0) return;
    this.#sweepTimer = setTimeout(() => {
      this.#sweepTimer = undefined;
      this.#dropExpired();
      this.#tellIdle();
      this.#sweepLater();
    }, SWEEP_MS);
  }

  #tellIdle(): void {
    if (this.#running.length > 0 || this.#queue.rows > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
