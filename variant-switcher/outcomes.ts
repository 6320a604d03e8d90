import type { StageContract } from "../domain/tensor.ts";
import { joinPieces, splitOutputs } from "./batch-output.ts";
import type { DropReason, WorkObserver } from "./counters.ts";
import type { Foresight } from "./foresight.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import type { TakenBatch } from "./take-batch.ts";
import type { Entry, WorkQueue } from "./work-queue.ts";

/** A request that loses this many sessions, the last one alone in its batch, is at fault itself. */
const MAX_LOSSES = 2;

type RetryReason = Extract<DropReason, "no_memory" | "model_failed" | "bad_outputs" | "remote_failed" | "session_lost">;

export interface OutcomesOptions {
  readonly contract: StageContract;
  readonly queue: WorkQueue;
  readonly observer: Required<WorkObserver>;
  /** Null: none serves. */
  readonly servedVariant: () => string | null;
}

/** What becomes of the requests of a batch: each is answered once, or waits again. */
export class Outcomes {
  readonly #options: OutcomesOptions;

  constructor(options: OutcomesOptions) {
    this.#options = options;
  }

  /** Gives every request of the batch its rows of the outputs. */
  share(batch: TakenBatch, outputs: readonly NamedTensor[]): void {
    const counts = batch.parts.map(part => part.to - part.from);
    const pieces = splitOutputs(this.#options.contract, outputs, counts);
    if (typeof pieces === "string") {
      this.retry(batch, "bad_outputs", pieces);
      return;
    }
    for (const [i, { entry, to }] of batch.parts.entries()) {
      entry.pieces.push(pieces[i] ?? []);
      if (to === entry.work.rows) this.#complete(entry, batch.serving.session.variant);
    }
  }

  /** Lets each request of the batch run again, alone, from where the batch took it; whoever failed alone is dropped. */
  retry(batch: TakenBatch, reason: RetryReason, message: string): void {
    const { queue } = this.#options;
    const alone = batch.parts.length === 1;
    for (const { entry, from } of batch.parts.toReversed()) {
      entry.failures++;
      if (reason === "session_lost") entry.losses++;
      const final = reason === "session_lost" ? entry.losses >= MAX_LOSSES : alone;
      if (entry.settled) continue;
      queue.putBack(entry, from);
      if (final) this.drop(entry, reason, message);
    }
  }

  /** Puts back, without blame, what a lost session had not begun with. */
  giveBack(batches: readonly TakenBatch[]): void {
    for (const { parts } of batches.toReversed())
      for (const { entry, from } of parts.toReversed()) if (!entry.settled) this.#options.queue.putBack(entry, from);
  }

  /** The session is lost that half served requests were begun with: their other rows may meet another variant. */
  startOver(): void {
    for (const entry of this.#options.queue.begun()) {
      this.#options.queue.putBack(entry, 0);
      entry.pieces.length = 0;
    }
  }

  /** Work whose deadline has passed. */
  dropExpired(): void {
    const nowMs = performance.now();
    for (const entry of this.#options.queue.dueBefore(nowMs)) {
      const waitedMs = Math.round(nowMs - entry.queuedAtMs);
      this.drop(entry, "deadline", `the deadline passed after ${waitedMs} ms, before the request could run`);
    }
  }

  /** Work that would be late even if the variant ran it now gives way to work that would not. */
  dropHopeless(variant: string, foresight: Foresight): void {
    const nowMs = performance.now();
    const { queue } = this.#options;
    const latest = (rows: number): number => nowMs + foresight.expectedMs(variant, rows);
    const hopeless = queue
      .dueBefore(latest(queue.mostRows))
      .filter(({ work, nextRow }) => latest(work.rows - nextRow) > work.deadlineMs);
    if (hopeless.length === queue.length) return;
    for (const entry of hopeless) {
      const leftMs = Math.round(entry.work.deadlineMs - nowMs);
      this.drop(entry, "would_be_late", `only ${leftMs} ms are left after it has waited: too short to run it`);
    }
  }

  drop(entry: Entry, reason: DropReason, message: string): void {
    if (entry.settled) return;
    entry.settled = true;
    const { queue, observer, servedVariant } = this.#options;
    queue.remove(entry);
    const totalMs = performance.now() - entry.queuedAtMs;
    observer.dropped({ rows: entry.work.rows, reason, variant: servedVariant(), totalMs });
    entry.settle({ kind: "dropped", reason, message });
  }

  #complete(entry: Entry, variant: string): void {
    if (entry.settled) return;
    const outputs = joinPieces(entry.pieces);
    if (!outputs) {
      this.drop(entry, "bad_outputs", "the request's batches gave outputs of different shapes");
      return;
    }
    const nowMs = performance.now();
    if (nowMs > entry.work.deadlineMs) {
      const lateMs = Math.ceil(nowMs - entry.work.deadlineMs);
      this.drop(entry, "late", `the answer came ${lateMs} ms after the deadline`);
      return;
    }
    entry.settled = true;
    const { queuedAtMs } = entry;
    const startedAtMs = entry.startedAtMs ?? queuedAtMs;
    const waitedMs = startedAtMs - queuedAtMs;
    this.#options.observer.served({ variant, rows: entry.work.rows, waitedMs, totalMs: nowMs - queuedAtMs });
    entry.settle({ kind: "served", variant, outputs, queuedAtMs, startedAtMs });
  }
}
