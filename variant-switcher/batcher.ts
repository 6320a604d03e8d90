import { chooseBatch } from "../domain/serving/choose-batch.ts";
import type { Ladder } from "../domain/serving/ladder.ts";
import { findRefused } from "../domain/serving/refusals.ts";
import type { StageContract } from "../domain/tensor.ts";
import { BufferPool } from "../runtime/http/buffer-pool.ts";
import { assembleBatch, type Unassembled } from "./batch-input.ts";
import type { DropReason, WorkObserver } from "./counters.ts";
import { DeadlineSweep } from "./deadline-sweep.ts";
import { Outcomes, type Ticket } from "./outcomes.ts";
import type { ReplicaLadder, Serving } from "./replica-ladder.ts";
import { createRunningBatch, leftMs, mayFollow, type RunningBatch } from "./running-batch.ts";
import type { ModelSession, RunResult } from "./session.ts";
import { Waiters } from "./waiters.ts";
import { createEntry, type Entry, type QueueLimits, type Work, WorkQueue, type WorkResult } from "./work-queue.ts";

/** Batches that a session has at most: one that runs and one that is next. */
const MAX_AHEAD = 2;
/** Weight of the newest batch in the time that a row takes lately. */
const RATE_WEIGHT = 0.1;
const LOST_TWICE = "the model's session was lost twice with this request";

export interface BatcherOptions {
  readonly contract: StageContract;
  readonly limits: QueueLimits;
  readonly ladder: ReplicaLadder;
  /** A model is being loaded, which takes time from the batches that run. */
  readonly isLoading: () => boolean;
  readonly observer: WorkObserver;
  /** Says why new work is not taken in at all; null: it is. */
  readonly refusal: () => string | null;
  /** The variant is below the floor: nobody is served by it, also who asks for it. */
  readonly isBelowFloor: (variant: string) => boolean;
  /** The rungs below the top that would serve if the pipeline took part in the ladder, which is counted; none where it does. */
  readonly shadowRungs: () => Serving["lighter"];
  /** A session crashed or hung. Where no rung is left that could serve, work waits until `serve` is called again. */
  readonly onLost: (session: ModelSession, reason: string) => void;
}

/**
 * Feeds the sessions, one batch at a time: each is served by the rung that the rule of `domain/serving` chooses. An idle replica takes what
 * waits at once. What a Switch brings takes over when nothing runs.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #queue: WorkQueue;
  readonly #outcomes: Outcomes;
  readonly #buffers: BufferPool;
  readonly #outputNames: readonly string[];
  #serving: Serving | null = null;
  #next: { readonly serving: Serving; readonly settle: () => void } | null = null;
  readonly #running: RunningBatch[] = [];
  /** When the last batch ended. */
  #freeSinceMs = 0;
  #rowMs = 0;
  readonly #sweep = new DeadlineSweep(() => {
    this.#outcomes.dropExpired();
    this.#tellIdle();
    this.#sweepLater();
  });
  readonly #idle = new Waiters();
  readonly #pause = new Waiters();

  constructor(options: BatcherOptions) {
    const { contract, limits, observer } = options;
    this.#options = options;
    this.#queue = new WorkQueue(limits);
    this.#buffers = new BufferPool(limits.maxBytes);
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

  /** Milliseconds that a row has taken lately, by whatever served it; 0: none was served yet. */
  get rowMs(): number {
    return this.#rowMs;
  }

  /** The variants whose sessions have a batch. */
  get runningVariants(): readonly string[] {
    return this.#running.map(({ session }) => session.variant);
  }

  queueAgeMs(): number {
    return this.#queue.ageMs(performance.now());
  }

  /** Whether the variant would serve a request that asks for it. */
  canServe(variant: string): boolean {
    const { ladder, isBelowFloor } = this.#options;
    return this.#serving !== null && !isBelowFloor(variant) && ladder.findSession(this.#serving, variant) !== null;
  }

  /** The result says what became of the work and never rejects. */
  submit(work: Work): Ticket {
    this.#options.observer.offered(work.rows);
    const bytes = work.inputs.reduce((sum, input) => sum + input.bytes.length, 0);
    const notReady = this.#options.refusal();
    if (notReady !== null) return this.#refuse(work, "not_ready", notReady);
    if (work.variant !== null && this.#options.isBelowFloor(work.variant))
      return this.#refuse(work, "wrong_variant", `${work.variant} serves nobody: it is below the floor of its stage`);
    const full = this.#queue.refusal(work.rows, bytes);
    if (full !== null) return this.#refuse(work, "queue_full", full);
    let settle: Entry["settle"] = () => undefined;
    const result = new Promise<WorkResult>(resolve => {
      settle = resolve;
    });
    const entry = createEntry(work, bytes, this.#queue.findKept(work, this.#serving), settle);
    this.#queue.add(entry);
    if (this.#serving && this.#running.length > 0 && this.#queue.isLookedThrough())
      this.#refuseHopeless(this.#options.ladder.find(this.#serving));
    this.#pump();
    const cancel = (): void => {
      this.#outcomes.drop(entry, "cancelled", "the client went away");
      this.#pump();
    };
    return { result, cancel };
  }

  /** Resolves when `serving` has taken over, or never will: a later call overtook it, `signal` withdrew it, or it was lost. */
  serve(serving: Serving, signal?: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      this.#next?.settle();
      const next = { serving, settle: resolve };
      this.#next = next;
      const withdraw = (): void => {
        if (this.#next !== next) return;
        this.#next = null;
        next.settle();
        this.#pump();
      };
      signal?.addEventListener("abort", withdraw, { once: true });
      this.#pump();
    });
  }

  /** A session was lost while it ran nothing. False: it is not the one of the most accurate rung. */
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
    const isVain = this.#queue.rows > 0 || leftMs(this.#running, this.#freeSinceMs, performance.now()) > maxMs;
    return this.#running.length !== 1 || isVain ? Promise.resolve() : this.#pause.wait(maxMs, signal);
  }

  /** Resolves when no batch of the variant runs. */
  async whenEnded(variant: string): Promise<void> {
    while (this.runningVariants.includes(variant)) await this.#pause.wait();
  }

  /** Refuses everything that still waits. */
  dropAll(reason: DropReason, message: string): void {
    for (const entry of [...this.#queue.calls]) this.#outcomes.drop(entry, reason, message);
    this.#tellIdle();
  }

  #refuse(work: Work, reason: DropReason, message: string): Ticket {
    return { result: Promise.resolve(this.#outcomes.refuse(work.rows, reason, message)), cancel: () => undefined };
  }

  /** Drops calls where even the floor can't serve all in time. */
  #refuseHopeless(ladder: Ladder): void {
    const nowMs = performance.now();
    const freeMs = nowMs + leftMs(this.#running, this.#freeSinceMs, nowMs) + this.#options.ladder.times.usualDelayMs;
    this.#outcomes.dropRefused(findRefused(ladder, this.#queue.calls, freeMs, this.#running.length === 0));
  }

  #pump(): void {
    const isPaused = this.#running.length === 0;
    this.#swap();
    for (let batch = this.#takeNext(); batch !== null; batch = this.#takeNext()) void this.#run(batch);
    if (isPaused || this.#running.length > 1) this.#pause.tell();
    this.#tellIdle();
    this.#sweepLater();
  }

  #swap(): void {
    const next = this.#next;
    const isSameSession = next?.serving.session === this.#serving?.session;
    if (!next || (this.#running.length > 0 && !isSameSession)) return;
    this.#next = null;
    if (!next.serving.session.isLost) this.#serving = next.serving;
    next.settle();
  }

  /** Takes the next batch out of the queue; null: none can start now. */
  #takeNext(): RunningBatch | null {
    const serving = this.#serving;
    const [running] = this.#running;
    if (!serving || this.#queue.rows === 0 || this.#running.length >= MAX_AHEAD) return null;
    if (running && (this.#next || this.#queue.rows < running.nextFromRows)) return null;
    if (running) running.nextFromRows = 2 * this.#queue.rows;
    this.#outcomes.dropExpired();
    this.#outcomes.dropUnserved(variant => this.canServe(variant));
    const ladder = this.#options.ladder.find(serving);
    if (!running) this.#refuseHopeless(ladder);
    if (this.#queue.rows === 0) return null;
    const nowMs = performance.now();
    const expected = this.#queue.expectCall(nowMs);
    const delayMs = this.#options.ladder.times.findLongestDelayMs(expected?.softAfterMs ?? 0);
    const startMs = nowMs + leftMs(this.#running, this.#freeSinceMs, nowMs) + delayMs;
    const chosen = chooseBatch(ladder, this.#queue.calls, startMs, expected);
    const session = this.#options.ladder.findSession(serving, chosen.rung.variant);
    if (!session || (running && !mayFollow(running, chosen, session))) return null;
    const shadow = { ...serving, lighter: this.#options.shadowRungs() };
    const rung = this.#options.ladder.chooseRung(shadow, this.#queue.calls, startMs, expected);
    if (rung) this.#options.observer.countShadow({ variant: rung.variant, rows: chosen.rows });
    const batch = createRunningBatch(chosen, session);
    for (const { call, rows } of chosen.parts) this.#queue.take(call as Entry, rows, session.variant);
    return batch;
  }

  async #run(batch: RunningBatch): Promise<void> {
    this.#running.push(batch);
    const { parts, startedAtMs, expectedMs, session } = batch;
    for (const { entry } of parts) entry.startedAtMs ??= startedAtMs;
    const ranges = parts.map(({ entry, from, to }) => ({ inputs: entry.work.inputs, from, to }));
    const inputs = assembleBatch(this.#options.contract, ranges, this.#buffers);
    const handedOverMs = performance.now();
    const waitMs = Math.max(...parts.map(({ entry }) => entry.work.deadlineMs)) - handedOverMs;
    const result = await ("kind" in inputs ? inputs : session.run(inputs, this.#outputNames, expectedMs, waitMs));
    const at = this.#running.indexOf(batch);
    // It was given back when the batch before it lost the session.
    if (at < 0) return;
    this.#running.splice(at, 1);
    if (result.kind === "ran") this.#observe(batch, result.serviceMs, handedOverMs);
    // A run that was broken off says only that batches take longer.
    if (result.kind === "expired" && result.leastMs > expectedMs) this.#learn(batch, result.leastMs);
    this.#freeSinceMs = performance.now();
    this.#finish(batch, result);
    this.#pump();
  }

  #observe(batch: RunningBatch, serviceMs: number, handedOverMs: number): void {
    const { parts, rows, why, session, startedAtMs } = batch;
    const tookMs = this.#learn(batch, serviceMs);
    this.#rowMs = this.#rowMs === 0 ? tookMs / rows : this.#rowMs + RATE_WEIGHT * (tookMs / rows - this.#rowMs);
    const waitedMs = startedAtMs - (parts[0]?.entry.queuedAtMs ?? startedAtMs);
    const assembleMs = handedOverMs - startedAtMs;
    const travelMs = performance.now() - handedOverMs - serviceMs;
    const { variant } = session;
    this.#options.observer.ran({ variant, why, rows, serviceMs, waitedMs, assembleMs, travelMs });
  }

  /** Returns how long the replica was busy with a batch. */
  #learn({ rows, startedAtMs, session }: RunningBatch, serviceMs: number): number {
    const tookMs = performance.now() - Math.max(startedAtMs, this.#freeSinceMs);
    this.#options.ladder.learn(session.variant, rows, { serviceMs, tookMs, wasLoading: this.#options.isLoading() });
    return tookMs;
  }

  #finish(batch: RunningBatch, result: RunResult | Unassembled): void {
    switch (result.kind) {
      case "ran":
        for (const buffer of result.spare) this.#buffers.give(buffer);
        this.#outcomes.share(batch, result.outputs);
        break;
      case "lost":
        this.#outcomes.giveBack(this.#running.splice(0));
        if (result.isNotRun) this.#outcomes.giveBack([batch]);
        else this.#outcomes.retry(batch, "session_lost", `${LOST_TWICE}: ${result.reason}`);
        this.#lose(batch.session, result.reason);
        break;
      default:
        this.#outcomes.fail(batch, result);
    }
  }

  /** The next lighter rung in memory takes the place of the most accurate one. */
  #lose(session: ModelSession, reason: string): void {
    if (this.#serving?.session === session) this.#serving = this.#options.ladder.findNext(this.#serving);
    this.#options.onLost(session, reason);
  }

  #sweepLater(): void {
    if (this.#queue.rows > 0) this.#sweep.setFor(this.#queue.soonestMs);
  }

  #tellIdle(): void {
    if (this.#running.length === 0 && this.#queue.rows === 0) this.#idle.tell();
  }
}
