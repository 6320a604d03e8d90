import type { StageContract } from "../domain/tensor.ts";
import { BufferPool } from "../runtime/http/buffer-pool.ts";
import { assembleBatch, type Unassembled } from "./batch-input.ts";
import type { DropReason, WorkObserver } from "./counters.ts";
import { DeadlineSweep } from "./deadline-sweep.ts";
import type { Foresight } from "./foresight.ts";
import { Halving } from "./halving.ts";
import { Outcomes } from "./outcomes.ts";
import { leftMs, type RunningBatch } from "./running-batch.ts";
import type { ModelSession, RunResult } from "./session.ts";
import type { Serving } from "./take-batch.ts";
import { Waiters } from "./waiters.ts";
import { createEntry, type Entry, type QueueLimits, type Work, WorkQueue, type WorkResult } from "./work-queue.ts";

/** Batches that a session has at most: one that runs and one that is next. */
const MAX_AHEAD = 2;
const LOST_TWICE = "the model's session was lost twice with this request";

export interface BatcherOptions {
  readonly contract: StageContract;
  readonly limits: QueueLimits;
  readonly foresight: Foresight;
  readonly observer: Required<WorkObserver>;
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
  readonly #outcomes: Outcomes;
  readonly #buffers: BufferPool;
  readonly #outputNames: readonly string[];
  readonly #halving: Halving;
  #serving: Serving | null = null;
  #next: { readonly serving: Serving; readonly settle: () => void } | null = null;
  readonly #running: RunningBatch[] = [];
  #waitTimer: NodeJS.Timeout | undefined;
  readonly #sweep = new DeadlineSweep(() => {
    this.#outcomes.dropExpired();
    this.#tellIdle();
    this.#sweepLater();
  });
  readonly #idle = new Waiters();
  readonly #pause = new Waiters();

  constructor(options: BatcherOptions) {
    const { contract, limits, observer, foresight } = options;
    this.#options = options;
    this.#queue = new WorkQueue(limits);
    this.#buffers = new BufferPool(limits.maxBytes);
    this.#halving = new Halving(foresight);
    this.#outputNames = contract.outputs.map(({ name }) => name);
    const servedVariant = (): string | null => this.#serving?.session.variant ?? null;
    this.#outcomes = new Outcomes({ contract, queue: this.#queue, observer, servedVariant });
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
    this.#options.observer.offered(work.rows);
    const bytes = work.inputs.reduce((sum, input) => sum + input.bytes.length, 0);
    const notReady = this.#options.refusal();
    if (notReady !== null) return this.#refuse(work, "not_ready", notReady);
    const full = this.#queue.refusal(work.rows, bytes);
    if (full !== null) return this.#refuse(work, "queue_full", full);
    const late = this.#lateness(work);
    if (late !== null) return this.#refuse(work, "would_be_late", late);
    let settle: Entry["settle"] = () => undefined;
    const result = new Promise<WorkResult>(resolve => {
      settle = resolve;
    });
    const entry = createEntry(work, bytes, settle);
    this.#queue.add(entry);
    this.#pump();
    return { result, cancel: () => this.#cancel(entry) };
  }

  /** Resolves when `serving` has taken over, or never will: a later call overtook it, `signal` withdrew it, or it was lost. */
  serve(serving: Serving, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.#next?.settle();
      const next = { serving, settle: resolve };
      this.#next = next;
      signal?.addEventListener("abort", () => this.#withdraw(next), { once: true });
      this.#pump();
    });
  }

  /** A session was lost while it ran nothing. False: it is not the one that serves. */
  lostIdle(session: ModelSession, reason: string): boolean {
    if (this.#serving?.session !== session) return false;
    this.#lose(session, reason);
    this.#pump();
    return true;
  }

  /** Resolves when nothing waits or runs. */
  whenIdle(): Promise<void> {
    const idle = this.#idle.wait();
    this.#tellIdle();
    return idle;
  }

  /**
   * Resolves when the batch that runs has ended, for what would take the core from it; after `maxMs` at the latest. At once where that would be
   * in vain, as the next one follows without a pause, or where it is expected to take longer.
   */
  whenPaused(maxMs: number, signal?: AbortSignal): Promise<void> {
    const isVain = this.#queue.rows > 0 || leftMs(this.#running, performance.now()) > maxMs;
    return this.#running.length !== 1 || isVain ? Promise.resolve() : this.#pause.wait(maxMs, signal);
  }

  /** Refuses everything that still waits. */
  dropAll(reason: DropReason, message: string): void {
    for (const entry of this.#queue.all()) this.#outcomes.drop(entry, reason, message);
    this.#tellIdle();
  }

  #cancel(entry: Entry): void {
    this.#outcomes.drop(entry, "cancelled", "the client went away");
    this.#pump();
  }

  #withdraw(next: { readonly settle: () => void }): void {
    if (this.#next !== next) return;
    this.#next = null;
    next.settle();
    this.#pump();
  }

  #refuse({ rows }: Work, reason: DropReason, message: string): Ticket {
    if (reason !== "not_ready") this.#halving.refused();
    const variant = this.#serving?.session.variant ?? null;
    this.#options.observer.dropped({ rows, reason, variant, totalMs: 0 });
    return { result: Promise.resolve<WorkResult>({ kind: "dropped", reason, message }), cancel: () => undefined };
  }

  /**
   * Why work is not taken in that could not be done in time; null: it could. An idle session takes everything, so that an expectation
   * that has become wrong is corrected by what really happens.
   */
  #lateness(work: Work): string | null {
    const serving = this.#serving;
    if (!serving || this.#running.length === 0) return null;
    const nowMs = performance.now();
    const runningMs = leftMs(this.#running, nowMs);
    const doneInMs = this.#options.foresight.doneInMs(serving, this.#queue.rows, work.rows, runningMs);
    if (nowMs + doneInMs <= work.deadlineMs) return null;
    const untilMs = Math.max(0, Math.round(work.deadlineMs - nowMs));
    return `it would be done in about ${Math.ceil(doneInMs)} ms, behind ${this.#queue.rows} rows, but only ${untilMs} ms are left`;
  }

  #pump(): void {
    const isPaused = this.#running.length === 0;
    if (isPaused) this.#swap();
    while (this.#serving && this.#mayStart(this.#serving)) {
      this.#outcomes.dropExpired();
      this.#outcomes.dropHopeless(this.#serving.session.variant, this.#options.foresight);
      if (this.#mustWait(this.#serving)) break;
      const begin = this.#next ? "whole" : "any";
      const taken = this.#halving.take(this.#queue, this.#serving, begin, (entry, message) =>
        this.#outcomes.drop(entry, "wrong_variant", message),
      );
      if (!taken) break;
      const expectedMs = this.#options.foresight.expectedMs(taken.serving.session.variant, taken.rows);
      // Own fields before those of a spread: see CONTRIBUTING.md.
      void this.#run({ startedAtMs: performance.now(), expectedMs, ...taken });
    }
    if (isPaused || this.#running.length > 1) this.#pause.tell();
    this.#tellIdle();
    this.#sweepLater();
  }

  /**
   * An idle session takes anything. A second batch is handed over ahead of its time, so that the session does not idle while word of the
   * first one travels, where that costs nothing: it is full or the second half of such a one, no other session is about to take over, no
   * request is in both, no deadline may pass before it begins, and nothing that failed before is in either: were the session lost again,
   * the other batch would be blamed.
   */
  #mayStart(serving: Serving): boolean {
    if (this.#running.length === 0) return true;
    const { head, rows } = this.#queue;
    const isTooFew = rows < this.#halving.rowsAhead(serving);
    if (this.#running.length >= MAX_AHEAD || this.#next || isTooFew || head?.nextRow !== 0) return false;
    const suspects = [head, ...this.#running.flatMap(({ parts }) => parts.map(({ entry }) => entry))];
    if (suspects.some(({ failures }) => failures > 0)) return false;
    const expectedMs = this.#options.foresight.expectedMs(serving.session.variant, serving.batch);
    return expectedMs > 0 && this.#queue.earliestDeadlineMs(serving.batch) > performance.now() + 2 * expectedMs;
  }

  #swap(): void {
    const next = this.#next;
    // What failed runs again before what is half served, so the head alone does not tell.
    if (!next || (this.#serving && this.#queue.begun().length > 0)) return;
    this.#next = null;
    if (!next.serving.session.isLost) this.#serving = next.serving;
    next.settle();
  }

  #mustWait(serving: Serving): boolean {
    clearTimeout(this.#waitTimer);
    const { head } = this.#queue;
    // A session that is about to take over waits for what is half served.
    if (serving.maxWaitMs <= 0 || !head || this.#queue.rows >= serving.batch || this.#next) return false;
    if (!this.#options.foresight.paysToWait(serving)) return false;
    const moreMs = serving.maxWaitMs - this.#queue.ageMs(performance.now());
    if (moreMs <= 0) return false;
    this.#waitTimer = setTimeout(() => this.#pump(), moreMs);
    return true;
  }

  async #run(batch: RunningBatch): Promise<void> {
    this.#running.push(batch);
    const { parts, startedAtMs, expectedMs } = batch;
    for (const { entry } of parts) entry.startedAtMs ??= startedAtMs;
    const ranges = parts.map(({ entry, from, to }) => ({ inputs: entry.work.inputs, from, to }));
    const inputs = assembleBatch(this.#options.contract, ranges, this.#buffers);
    const handedOverMs = performance.now();
    const result = await ("kind" in inputs ? inputs : batch.serving.session.run(inputs, this.#outputNames, expectedMs));
    const at = this.#running.indexOf(batch);
    // It was given back when the batch before it lost the session.
    if (at < 0) return;
    this.#running.splice(at, 1);
    if (result.kind === "ran") this.#observe(batch, result.serviceMs, handedOverMs);
    this.#finish(batch, result);
    this.#pump();
  }

  #observe({ serving, rows, parts, startedAtMs }: RunningBatch, serviceMs: number, handedOverMs: number): void {
    const { variant } = serving.session;
    const waitedMs = startedAtMs - (parts[0]?.entry.queuedAtMs ?? startedAtMs);
    const assembleMs = handedOverMs - startedAtMs;
    const travelMs = performance.now() - handedOverMs - serviceMs;
    this.#options.foresight.ran({ variant, rows, serviceMs });
    this.#options.observer.ran({ variant, rows, serviceMs, waitedMs, assembleMs, travelMs });
  }

  #finish(batch: RunningBatch, result: RunResult | Unassembled): void {
    const { session } = batch.serving;
    switch (result.kind) {
      case "ran":
        for (const buffer of result.spare) this.#buffers.give(buffer);
        this.#outcomes.share(batch, result.outputs);
        break;
      case "failed":
        this.#outcomes.retry(batch, "model_failed", `the model can't run on this input: ${result.message}`);
        break;
      case "unassembled":
        this.#outcomes.retry(batch, "no_memory", result.message);
        break;
      case "unserved":
        this.#outcomes.retry(batch, "remote_failed", `what runs the model could not run it: ${result.reason}`);
        break;
      case "lost":
        this.#outcomes.giveBack(this.#running.splice(0));
        this.#outcomes.retry(batch, "session_lost", `${LOST_TWICE}: ${result.reason}`);
        this.#lose(session, result.reason);
        break;
      default:
        result satisfies never;
    }
  }

  #lose(session: ModelSession, reason: string): void {
    if (this.#serving?.session === session) this.#serving = null;
    this.#outcomes.startOver();
    this.#options.onLost(session, reason);
  }

  #sweepLater(): void {
    if (this.#queue.rows > 0) this.#sweep.setFor(this.#queue.soonestMs);
  }

  #tellIdle(): void {
    if (this.#running.length === 0 && this.#queue.rows === 0) this.#idle.tell();
  }
}
