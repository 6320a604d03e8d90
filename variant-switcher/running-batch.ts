import type { TakenBatch } from "./take-batch.ts";

/** A batch that was handed to its session. */
export interface RunningBatch extends TakenBatch {
  /** On the clock of performance.now(). */
  readonly startedAtMs: number;
  readonly expectedMs: number;
}

/** How long these still take, one after the other, as far as is known. */
export function leftMs(running: readonly RunningBatch[], nowMs: number): number {
  return running.reduce((sum, { startedAtMs, expectedMs }, i) => {
    return sum + (i === 0 ? Math.max(0, startedAtMs + expectedMs - nowMs) : expectedMs);
  }, 0);
}
