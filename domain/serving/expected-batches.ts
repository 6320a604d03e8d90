/** Calls that wait, as the batches in which they are expected to run one after the other. */
import { type Call, type Rung, rowsMs } from "./ladder.ts";

/** Calls are expected to join one of the last few batches only, so that calls of many shapes cost little. */
const MOST_OPEN = 8;

/** One of the batches that calls which wait are expected to run in. */
export interface ExpectedBatch {
  readonly rung: Rung;
  readonly shape: string;
  /** Full batches of its first call take so long right before it. */
  readonly beforeMs: number;
  rows: number;
  /** By then it must end for the calls that end with it. */
  byMs: number;
}

/** The batch of a call's last rows, behind the full ones of those before. */
export function startBatch(rung: Rung, shape: string, callRows: number, byMs: number): ExpectedBatch {
  const rows = callRows % rung.maxBatch || rung.maxBatch;
  return { rung, shape, beforeMs: rowsMs(rung, callRows - rows), rows, byMs };
}

/** Milliseconds from the end of the batch before it. */
export function getBatchMs({ rung, beforeMs, rows }: ExpectedBatch): number {
  return beforeMs + (rung.batchMs[rows] as number);
}

/** The place of the batch that calls of this rung and shape join; -1: there is none among the last few. */
export function findJoinable(batches: readonly ExpectedBatch[], rung: Rung, shape: string): number {
  for (let at = batches.length - 1; at >= 0 && at >= batches.length - MOST_OPEN; at -= 1) {
    const batch = batches[at] as ExpectedBatch;
    if (batch.rung === rung && batch.shape === shape) return at;
  }
  return -1;
}

/** Until when a batch must end so that a call does not become late by it; a call that is late anyway does not matter. */
export function lateAfterMs({ softMs, hardMs }: Call, doneMs: number): number {
  if (doneMs <= softMs) return softMs;
  return doneMs <= hardMs ? hardMs : Number.POSITIVE_INFINITY;
}
