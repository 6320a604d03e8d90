import type { Batch, Choice } from "../domain/serving/choose-batch.ts";
import type { ModelSession } from "./session.ts";
import { type Entry, findNextRow } from "./work-queue.ts";

/** A batch that was handed to a session. */
export interface RunningBatch extends Choice {
  readonly session: ModelSession;
  readonly rows: number;
  /** With so many rows that wait the next batch is looked for while this one runs, then with twice as many: each time costs as much as there are calls. */
  nextFromRows: number;
  readonly parts: readonly { readonly entry: Entry; readonly from: number; readonly to: number }[];
  /** Milliseconds that it is expected to take. */
  readonly expectedMs: number;
  /** On the clock of performance.now(). */
  readonly startedAtMs: number;
}

/** A chosen batch right before its rows are taken out of the queue. */
export function createRunningBatch({ rung, rows, parts, why, slackMs }: Batch, session: ModelSession): RunningBatch {
  return {
    session,
    rows,
    why,
    slackMs,
    nextFromRows: rung.maxBatch,
    parts: parts.map(({ call, rows: count }) => {
      const entry = call as Entry;
      const from = findNextRow(entry);
      return { entry, from, to: from + count };
    }),
    expectedMs: rung.batchMs[rows] as number,
    startedAtMs: performance.now(),
  };
}

/**
 * Whether a chosen batch may be handed to the session while another one runs there, so that the session does not idle while word of that one
 * travels. It may where that costs nothing: it is full and of the same rung, no request is in both, and nothing that failed before is in either,
 * as the other batch would be blamed were the session lost again.
 */
export function mayFollow(running: RunningBatch, { rung, rows, parts }: Batch, session: ModelSession): boolean {
  if (rows < rung.maxBatch || session !== running.session) return false;
  const entries = parts.map(({ call }) => call as Entry);
  if (entries.some(entry => findNextRow(entry) > 0)) return false;
  return [...entries, ...running.parts.map(({ entry }) => entry)].every(({ failures }) => failures === 0);
}

/** How long these still take, one after the other, as far as is known. One that was handed over ahead begins when the one before it ends, at `freeSinceMs`. */
export function leftMs(running: readonly RunningBatch[], freeSinceMs: number, nowMs: number): number {
  return running.reduce((sum, { startedAtMs, expectedMs }, i) => {
    return sum + (i === 0 ? Math.max(0, Math.max(startedAtMs, freeSinceMs) + expectedMs - nowMs) : expectedMs);
  }, 0);
}
