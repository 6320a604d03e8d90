import type { StageContract } from "../domain/tensor.ts";
import type { Unassembled } from "./batch-input.ts";
import { joinPieces, splitOutputs } from "./batch-output.ts";
import type { DropReason, WorkObserver } from "./counters.ts";
import type { NamedTensor } from "./raw-tensor.ts";
import type { RunningBatch } from "./running-batch.ts";
import type { RunResult } from "./session.ts";
import type { Entry, RungShare, ServedPiece, WorkQueue, WorkResult } from "./work-queue.ts";

/** A request that loses this many sessions, the last one alone in its batch, is at fault itself. */
const MAX_LOSSES = 2;

/** Tells apart the shapes of calls that run alone. */
let lonelyCalls = 0;

type RetryReason = Extract<DropReason, "no_memory" | "model_failed" | "bad_outputs" | "remote_failed" | "session_lost">;

export interface OutcomesOptions {
  readonly contract: StageContract;
  readonly queue: WorkQueue;
  readonly observer: WorkObserver;
  /** Null: none serves. */
  readonly servedVariant: () => string | null;
}

/** Work that was handed in. */
export interface Ticket {
  readonly result: Promise<WorkResult>;
  /** The client went away: what did not run yet never will. */
  cancel(): void;
}

/** What becomes of the requests of a batch: each is answered once, or waits again. */
export class Outcomes {
  readonly #options: OutcomesOptions;

  constructor(options: OutcomesOptions) {
    this.#options = options;
  }

  /** Gives every request of the batch its rows of the outputs. */
  share(batch: RunningBatch, outputs: readonly NamedTensor[]): void {
    const counts = batch.parts.map(part => part.to - part.from);
    const pieces = splitOutputs(this.#options.contract, outputs, counts);
    if (typeof pieces === "string") {
      this.retry(batch, "bad_outputs", pieces);
      return;
    }
    const { session, why, slackMs } = batch;
    for (const [i, { entry, from, to }] of batch.parts.entries()) {
      entry.pieces.push({ variant: session.variant, rows: to - from, outputs: pieces[i] ?? [], why, slackMs });
      if (to === entry.work.rows) this.#complete(entry);
    }
  }

  /** A batch that could not run, and is not to blame for a lost session. */
  fail(batch: RunningBatch, result: Exclude<RunResult, { kind: "ran" | "lost" }> | Unassembled): void {
    switch (result.kind) {
      case "expired":
        for (const { entry } of batch.parts) this.drop(entry, "deadline", `the deadline passed: ${result.reason}`);
        break;
      case "failed":
        this.retry(batch, "model_failed", `the model can't run on this input: ${result.message}`);
        break;
      case "unassembled":
        this.retry(batch, "no_memory", result.message);
        break;
      case "unserved":
        this.retry(batch, "remote_failed", `what runs the model could not run it: ${result.reason}`);
        break;
      default:
        result satisfies never;
    }
  }

  /** Lets each request of the batch run again, alone, from where the batch took it; whoever failed alone is dropped. */
  retry(batch: RunningBatch, reason: RetryReason, message: string): void {
    const { queue } = this.#options;
    const alone = batch.parts.length === 1;
    for (const { entry, from } of batch.parts.toReversed()) {
      entry.failures++;
      lonelyCalls += 1;
      entry.shape = `alone ${lonelyCalls}`;
      if (reason === "session_lost") {
        entry.losses++;
        entry.variant = entry.work.variant;
      }
      const final = reason === "session_lost" ? entry.losses >= MAX_LOSSES : alone;
      if (entry.settled) continue;
      queue.putBack(entry, from);
      if (final) this.drop(entry, reason, message);
    }
  }

  /** Puts back, without blame, what a lost session had not begun with. */
  giveBack(batches: readonly RunningBatch[]): void {
    for (const { parts } of batches.toReversed())
      for (const { entry, from } of parts.toReversed()) if (!entry.settled) this.#options.queue.putBack(entry, from);
  }

  /** Work whose deadline has passed. */
  dropExpired(): void {
    const nowMs = performance.now();
    for (const entry of this.#options.queue.dueBefore(nowMs)) {
      const waitedMs = Math.round(nowMs - entry.queuedAtMs);
      this.drop(entry, "deadline", `the deadline passed after ${waitedMs} ms, before the request could run`);
    }
  }

  /** Counts a request that is not taken in. */
  refuse(rows: number, reason: DropReason, message: string): WorkResult {
    this.#options.observer.dropped({ rows, reason, variant: this.#options.servedVariant(), totalMs: 0 });
    return { kind: "dropped", reason, message };
  }

  /** Calls that even the lightest rung, or the variant that they ask for, can't serve in time beside those that wait. */
  dropRefused(entries: readonly Entry[]): void {
    const nowMs = performance.now();
    for (const entry of entries) {
      const left = Math.max(0, Math.round(entry.hardMs - nowMs));
      this.drop(
        entry,
        "would_be_late",
        `even ${entry.work.variant ?? "the lightest rung"} can't serve it within the ${left} ms that are left, or more of those behind it would be late`,
      );
    }
  }

  /** Calls that ask for a variant that is not in memory. */
  dropUnserved(isServed: (variant: string) => boolean): void {
    const { queue, servedVariant } = this.#options;
    const isUnserved = ({ work: { variant } }: Entry): boolean => variant !== null && !isServed(variant);
    if (!queue.calls.some(isUnserved)) return;
    for (const entry of queue.calls.filter(isUnserved))
      this.drop(entry, "wrong_variant", `${entry.work.variant} is not served, ${servedVariant()} is`);
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

  #complete(entry: Entry): void {
    if (entry.settled) return;
    const shares = addShares(entry);
    const outputs = joinPieces(entry.pieces.map(piece => piece.outputs));
    if (!outputs && shares.length > 1) {
      // Variants may give outputs of different sizes where the contract leaves them open: the last one serves all rows.
      entry.pieces.length = 0;
      this.#options.queue.putBack(entry, 0);
      entry.variant = shares.at(-1)?.variant ?? null;
      return;
    }
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
    const { variant } = shares.reduce((most, share) => (share.rows > most.rows ? share : most));
    this.#options.observer.served({ variant, shares, waitedMs, totalMs: nowMs - queuedAtMs });
    const pieces = entry.pieces.map(({ variant: served, rows }) => ({ variant: served, rows }));
    const { why, slackMs } = entry.pieces.find(piece => piece.variant === variant) as ServedPiece;
    entry.settle({ kind: "served", variant, why, slackMs, shares, pieces, outputs, queuedAtMs, startedAtMs });
  }
}

/** How many rows each variant has served, in the order in which they served. */
function addShares({ pieces }: Entry): readonly RungShare[] {
  const rows = new Map<string, number>();
  for (const piece of pieces) rows.set(piece.variant, (rows.get(piece.variant) ?? 0) + piece.rows);
  return Array.from(rows, ([variant, count]) => ({ variant, rows: count }));
}
