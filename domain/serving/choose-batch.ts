/**
 * Chooses the variant of a replica's next batch and its calls, and finds calls that are hopeless. Everywhere `calls` are those that
 * wait in the order of their soft deadlines. Choices look at `startMs`, when the replica is free with what batches may take beyond the
 * expected; refusals at `freeMs`, with what they usually take beyond it, as what may still be in time is not refused.
 *
 * Those who wait are judged by the same rung as the next batch. SuperServe's SlackFit (NSDI'25) judges by the next batch alone, so that its
 * queues grow until only the lightest model is fast enough.
 */
import { type Call, type ExpectedCall, type Ladder, type Rung, rowsMs } from "./ladder.ts";

export interface Batch {
  readonly rung: Rung;
  readonly rows: number;
  /** Calls and how many of their rows it takes, in the order in which the rows are put together. */
  readonly parts: readonly { readonly call: Call; readonly rows: number }[];
}

const NONE: readonly never[] = [];

/** The next batch. `calls` has at least one; `expected` is null where no call has come lately. */
export function chooseBatch(
  ladder: Ladder,
  calls: readonly Call[],
  startMs: number,
  expected: ExpectedCall | null,
): Batch {
  return takeBatch(ladder, calls, startMs, chooseRung(ladder, calls, startMs, expected));
}

/**
 * The most accurate rung with which every call that waits, and the expected one beside them, is done by its soft deadline; the floor where
 * there is none.
 */
export function chooseRung(
  ladder: Ladder,
  calls: readonly Call[],
  startMs: number,
  expected: ExpectedCall | null,
): Rung {
  const { rungs } = ladder;
  if (rungs.length === 1) return getFloor(ladder);
  // A rung that has time for it has time for those that wait without it.
  const all = expected === null ? calls : addExpected(calls, expected);
  for (let at = 0; at < rungs.length - 1; at += 1) {
    const rung = rungs[at] as Rung;
    if (isInTime(ladder, rung, all, startMs)) return rung;
  }
  return getFloor(ladder);
}

/**
 * The head call on the chosen rung, or on the one that it keeps, joined by calls of the same rung and shape that come next as far as nobody
 * in the batch becomes late.
 */
export function takeBatch(ladder: Ladder, calls: readonly Call[], startMs: number, chosen: Rung): Batch {
  const head = calls[0] as Call;
  const rung = keptRung(ladder, head, startMs) ?? chosen;
  let rows = Math.min(head.rows, rung.maxBatch);
  const parts = [{ call: head, rows }];
  let untilMs = rows === head.rows ? lateAfterMs(head, startMs + (rung.batchMs[rows] as number)) : Infinity;
  for (let at = 1; at < calls.length && rows < rung.maxBatch; at += 1) {
    const call = calls[at] as Call;
    if (call.shape !== head.shape || rungFor(ladder, call, chosen) !== rung) break;
    const joined = Math.min(call.rows, rung.maxBatch - rows);
    const doneMs = startMs + (rung.batchMs[rows + joined] as number);
    if (doneMs > untilMs) break;
    rows += joined;
    parts.push({ call, rows: joined });
    if (joined === call.rows) untilMs = Math.min(untilMs, lateAfterMs(call, doneMs));
  }
  return { rung, rows, parts };
}

/**
 * The calls that are to be refused now. An idle replica keeps the hopeless call with the most time where there is no other, so that an
 * expectation that has become wrong is corrected by what really happens.
 */
export function findRefused<T extends Call>(
  ladder: Ladder,
  calls: readonly T[],
  freeMs: number,
  isIdle: boolean,
): readonly T[] {
  if (isIdle && calls.length <= 1) return NONE;
  const hopeless = findHopeless(ladder, calls, freeMs);
  if (!isIdle || hopeless.length < calls.length) return hopeless;
  const kept = hopeless.reduce((most, call) => (call.hardMs > most.hardMs ? call : most));
  return hopeless.filter(call => call !== kept);
}

/** The calls that even the floor, or the variant that they ask for, can't serve by their hard deadlines, behind what is before them. */
export function findHopeless<T extends Call>(ladder: Ladder, calls: readonly T[], freeMs: number): readonly T[] {
  const floor = getFloor(ladder);
  let hopeless: T[] | null = null;
  /** The batch that is being filled: when it starts, its rung, rows and shape, and until when it must be done. */
  let startMs = freeMs;
  let rung = floor;
  let rows = 0;
  let shape = "";
  let untilMs = Number.POSITIVE_INFINITY;
  for (const call of calls) {
    const own = call.isBound ? (findRung(ladder, call.variant) ?? floor) : floor;
    const mayJoin = rows > 0 && own === rung && call.shape === shape;
    const joined = mayJoin ? Math.min(call.rows, rung.maxBatch - rows) : 0;
    const joinedMs = startMs + (rung.batchMs[rows + joined] as number);
    const joins = joined > 0 && joinedMs <= untilMs;
    const rest = joins ? call.rows - joined : call.rows;
    const nextMs = joins ? joinedMs : startMs + (rung.batchMs[rows] as number);
    if (nextMs + rowsMs(own, rest) > call.hardMs) {
      hopeless ??= [];
      hopeless.push(call);
    } else if (rest === 0) {
      rows += joined;
      untilMs = Math.min(untilMs, lateAfterMs(call, joinedMs));
    } else {
      rung = own;
      rows = rest % own.maxBatch || own.maxBatch;
      startMs = nextMs + rowsMs(own, rest - rows);
      shape = call.shape;
      untilMs = lateAfterMs(call, startMs + (own.batchMs[rows] as number));
    }
  }
  return hopeless ?? NONE;
}

function addExpected(calls: readonly Call[], { rows, softAfterMs, nowMs }: ExpectedCall): readonly Call[] {
  const softMs = nowMs + softAfterMs;
  let at = calls.length;
  while (at > 0 && (calls[at - 1] as Call).softMs > softMs) at -= 1;
  const shape = (calls[at] ?? calls.at(-1))?.shape ?? "";
  const call: Call = { rows, shape, softMs, hardMs: Number.POSITIVE_INFINITY, variant: null };
  return at === calls.length ? [...calls, call] : calls.toSpliced(at, 0, call);
}

/**
 * Whether all calls are done by their soft deadlines if `chosen` serves them in batches as full as they get, but for those that keep a rung
 * of their own. As batches do not depend on deadlines, more time for everybody never makes this false.
 */
function isInTime(ladder: Ladder, chosen: Rung, calls: readonly Call[], startMs: number): boolean {
  /** The batch that is being filled: when it starts, its rung, rows and shape, and the earliest soft deadline of calls that end with it. */
  let freeMs = startMs;
  let rung = chosen;
  let rows = 0;
  let shape = "";
  let softMs = Number.POSITIVE_INFINITY;
  for (const call of calls) {
    const own = rungFor(ladder, call, chosen);
    const joins = rows > 0 && own === rung && call.shape === shape;
    const joined = joins ? Math.min(call.rows, rung.maxBatch - rows) : 0;
    const rest = call.rows - joined;
    rows += joined;
    if (rest === 0) {
      softMs = Math.min(softMs, call.softMs);
      continue;
    }
    freeMs += rung.batchMs[rows] as number;
    if (freeMs > softMs) return false;
    rung = own;
    rows = rest % own.maxBatch || own.maxBatch;
    freeMs += rowsMs(own, rest - rows);
    shape = call.shape;
    softMs = call.softMs;
  }
  return freeMs + (rung.batchMs[rows] as number) <= softMs;
}

/** The rung that a call keeps: the one that it has, as long as that is in time for its hard deadline or was asked for, and the floor then; null: none. */
function keptRung(ladder: Ladder, call: Call, startMs: number): Rung | null {
  const own = findRung(ladder, call.variant);
  if (own === undefined) return null;
  return call.isBound || startMs + rowsMs(own, call.rows) <= call.hardMs ? own : getFloor(ladder);
}

function rungFor(ladder: Ladder, { variant }: Call, chosen: Rung): Rung {
  return variant === chosen.variant ? chosen : (findRung(ladder, variant) ?? chosen);
}

function findRung({ rungs, others }: Ladder, variant: string | null): Rung | undefined {
  if (variant === null) return undefined;
  const isWanted = (rung: Rung): boolean => rung.variant === variant;
  return rungs.find(isWanted) ?? others.find(isWanted);
}

/** Until when a batch must end so that a call does not become late by it; a call that is late anyway does not matter. */
function lateAfterMs({ softMs, hardMs }: Call, doneMs: number): number {
  if (doneMs <= softMs) return softMs;
  return doneMs <= hardMs ? hardMs : Number.POSITIVE_INFINITY;
}

function getFloor({ rungs }: Ladder): Rung {
  return rungs[rungs.length - 1] as Rung;
}
