/**
 * Chooses the variant of a replica's next batch and its calls, and finds calls that are hopeless. Everywhere `calls` are those that
 * wait in the order of their soft deadlines. Choices look at `startMs`, when the replica is free with what batches may take beyond the
 * expected; refusals at `freeMs`, with what they usually take beyond it, as what may still be in time is not refused.
 *
 * Those who wait are judged by the same rung as the next batch. SuperServe's SlackFit (NSDI'25) judges by the next batch alone, so that its
 * queues grow until only the lightest model is fast enough.
 */
import { findLimit } from "./kept-rungs.ts";
import { type Call, type ExpectedCall, type Ladder, type Rung, rowsMs } from "./ladder.ts";

/**
 * Why no heavier rung serves a batch. `top`: there is none that may. `late`: somebody who waits, or one more call, would be late by it.
 * `not_in_memory`: the next heavier one is not in memory. `kept`: the head call keeps this one. `asked`: it asks for this one.
 */
export const CHOICE_REASONS = ["top", "late", "not_in_memory", "kept", "asked"] as const;

export type ChoiceReason = (typeof CHOICE_REASONS)[number];

/** A choice is explained by these. */
export interface Choice {
  readonly why: ChoiceReason;
  /** Milliseconds from when the batch can begin to the soft deadline of its head call. */
  readonly slackMs: number;
}

export interface Batch extends Choice {
  readonly rung: Rung;
  readonly rows: number;
  /** Calls and how many of their rows it takes, in the order in which the rows are put together. */
  readonly parts: readonly { readonly call: Call; readonly rows: number }[];
}

const NONE: readonly never[] = [];
/** Calls are expected to join one of the last few batches only, so that calls of many shapes cost little. */
const MOST_OPEN = 8;

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
 * The head call on the chosen rung, or on the one that it keeps, joined in their order by calls of the same rung and shape as far as nobody in
 * the batch becomes late. Calls of other shapes in between wait for the next batches: had they to be alone, mixed shapes would never share one.
 */
export function takeBatch(ladder: Ladder, calls: readonly Call[], startMs: number, chosen: Rung): Batch {
  const head = calls[0] as Call;
  const own = keptRung(ladder, head, startMs);
  const rung = own ?? limitRung(ladder, head, chosen);
  let rows = Math.min(head.rows, rung.maxBatch);
  const parts = [{ call: head, rows }];
  let untilMs = rows === head.rows ? lateAfterMs(head, startMs + (rung.batchMs[rows] as number)) : Infinity;
  for (let at = 1; at < calls.length && rows < rung.maxBatch; at += 1) {
    const call = calls[at] as Call;
    if (call.shape !== head.shape || rungFor(ladder, call, chosen) !== rung) continue;
    const joined = Math.min(call.rows, rung.maxBatch - rows);
    const doneMs = startMs + (rung.batchMs[rows + joined] as number);
    if (doneMs > untilMs) break;
    rows += joined;
    parts.push({ call, rows: joined });
    if (joined === call.rows) untilMs = Math.min(untilMs, lateAfterMs(call, doneMs));
  }
  return { rung, rows, parts, why: explainRung(ladder, head, rung, own, chosen), slackMs: head.softMs - startMs };
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

/**
 * The calls that even the floor, or the variant that they ask for, can't serve by their hard deadlines, behind what is before them. One that
 * becomes hopeless only because calls behind it join a batch before it is found when that batch has ended.
 */
export function findHopeless<T extends Call>(ladder: Ladder, calls: readonly T[], freeMs: number): readonly T[] {
  const floor = getFloor(ladder);
  let hopeless: T[] | null = null;
  const batches: ExpectedBatch[] = [];
  let endMs = freeMs;
  for (const call of calls) {
    const rung = call.isBound ? (findRung(ladder, call.variant) ?? floor) : floor;
    const join = findJoin(batches, rung, call, endMs);
    const rest = call.rows - (join?.rows ?? 0);
    const nextEndMs = endMs + (join?.longerMs ?? 0) + rowsMs(rung, rest);
    const doneMs = join && rest === 0 ? join.doneMs : nextEndMs;
    if (doneMs > call.hardMs) {
      hopeless ??= [];
      hopeless.push(call);
      continue;
    }
    endMs = nextEndMs;
    if (join) join.batch.rows += join.rows;
    if (join && rest === 0) join.batch.byMs = Math.min(join.batch.byMs, lateAfterMs(call, doneMs));
    if (rest > 0) batches.push(startBatch(rung, call.shape, rest, lateAfterMs(call, doneMs)));
  }
  return hopeless ?? NONE;
}

/** One of the batches that calls which wait are expected to run in. */
interface ExpectedBatch {
  readonly rung: Rung;
  readonly shape: string;
  /** Full batches of its first call take so long right before it. */
  readonly beforeMs: number;
  rows: number;
  /** By then it must end for the calls that end with it. */
  byMs: number;
}

/** The batch of a call's last rows, behind the full ones of those before. */
function startBatch(rung: Rung, shape: string, callRows: number, byMs: number): ExpectedBatch {
  const rows = callRows % rung.maxBatch || rung.maxBatch;
  return { rung, shape, beforeMs: rowsMs(rung, callRows - rows), rows, byMs };
}

function getBatchMs({ rung, beforeMs, rows }: ExpectedBatch): number {
  return beforeMs + (rung.batchMs[rows] as number);
}

/** The place of the batch that calls of this rung and shape join; -1: there is none among the last few. */
function findJoinable(batches: readonly ExpectedBatch[], rung: Rung, shape: string): number {
  for (let at = batches.length - 1; at >= 0 && at >= batches.length - MOST_OPEN; at -= 1) {
    const batch = batches[at] as ExpectedBatch;
    if (batch.rung === rung && batch.shape === shape) return at;
  }
  return -1;
}

/** The first rows of a call in a batch before it. */
interface Join {
  readonly batch: ExpectedBatch;
  readonly rows: number;
  /** The batch takes so much longer with them, and then ends at `doneMs`. */
  readonly longerMs: number;
  readonly doneMs: number;
}

/** It is null where no batch has room, or somebody in it would become late. `endMs`: when the last of the batches ends. */
function findJoin(batches: readonly ExpectedBatch[], rung: Rung, call: Call, endMs: number): Join | null {
  const at = findJoinable(batches, rung, call.shape);
  const batch = batches[at];
  if (!batch) return null;
  const rows = Math.min(call.rows, rung.maxBatch - batch.rows);
  const longerMs = (rung.batchMs[batch.rows + rows] as number) - (rung.batchMs[batch.rows] as number);
  let doneMs = endMs + longerMs;
  for (let later = at + 1; later < batches.length; later += 1) doneMs -= getBatchMs(batches[later] as ExpectedBatch);
  return rows === 0 || doneMs > batch.byMs ? null : { batch, rows, longerMs, doneMs };
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
  const batches: ExpectedBatch[] = [];
  /** When the last batch ends at the earliest. */
  let lastEndMs = startMs;
  for (const call of calls) {
    const rung = rungFor(ladder, call, chosen);
    const last = batches[batches.length - 1];
    const batch = batches[findJoinable(batches, rung, call.shape)];
    const joined = batch === undefined ? 0 : Math.min(call.rows, rung.maxBatch - batch.rows);
    if (batch) batch.rows += joined;
    if (batch && joined === call.rows) {
      batch.byMs = Math.min(batch.byMs, call.softMs);
      continue;
    }
    if (last) lastEndMs += getBatchMs(last);
    if (last && lastEndMs > last.byMs) return false;
    batches.push(startBatch(rung, call.shape, call.rows - joined, call.softMs));
  }
  let doneMs = startMs;
  return batches.every(batch => {
    doneMs += getBatchMs(batch);
    return doneMs <= batch.byMs;
  });
}

/** The rung that a call keeps: the one that it has, as long as that is in time for its hard deadline or was asked for, and the floor then; null: none. */
function keptRung(ladder: Ladder, call: Call, startMs: number): Rung | null {
  const own = findRung(ladder, call.variant);
  if (own === undefined) return null;
  return call.isBound || startMs + rowsMs(own, call.rows) <= call.hardMs ? own : getFloor(ladder);
}

/** Why nothing heavier than `rung` serves the head call, which keeps `own`, while `chosen` was chosen for those that keep none. */
function explainRung(ladder: Ladder, head: Call, rung: Rung, own: Rung | null, chosen: Rung): ChoiceReason {
  const { rungs, belowGaps } = ladder;
  if (own !== null && head.isBound) return "asked";
  const isKept = own === null ? rung !== chosen : own.variant === head.variant;
  if (isKept && rung !== rungs[0]) return "kept";
  if (belowGaps?.includes(rung.variant)) return "not_in_memory";
  return rung === rungs[0] ? "top" : "late";
}

function rungFor(ladder: Ladder, call: Call, chosen: Rung): Rung {
  if (call.variant === chosen.variant) return chosen;
  return findRung(ladder, call.variant) ?? limitRung(ladder, call, chosen);
}

/** The chosen rung, or the one that the call keeps from calls before it where that is lighter. */
function limitRung({ rungs }: Ladder, { kept }: Call, chosen: Rung): Rung {
  const limit = kept === undefined ? null : findLimit(kept);
  if (limit === null || limit === chosen.variant) return chosen;
  const at = rungs.findIndex(({ variant }) => variant === limit);
  return at > rungs.indexOf(chosen) ? (rungs[at] as Rung) : chosen;
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
