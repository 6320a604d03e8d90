/**
 * Chooses the variant of a replica's next batch and its calls. Everywhere `calls` are those that wait in the order of their soft deadlines.
 * Choices look at `startMs`, when the replica is free with what batches may take beyond the expected.
 *
 * Those who wait are judged by the same rung as the next batch. SuperServe's SlackFit (NSDI'25) judges by the next batch alone, so that its
 * queues grow until only the lightest model is fast enough.
 */
import { type ExpectedBatch, findJoinable, getBatchMs, lateAfterMs, startBatch } from "./expected-batches.ts";
import { findLimit } from "./kept-rungs.ts";
import { type Call, type ExpectedCall, findRung, getFloor, type Ladder, type Rung, rowsMs } from "./ladder.ts";

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
 * of their own. As batches do not depend on deadlines, more time for everybody never makes this false. Refusals don't count with `crowding`: what may
 * be in time without it is served.
 */
function isInTime(ladder: Ladder, chosen: Rung, calls: readonly Call[], startMs: number): boolean {
  const { crowding = 1 } = ladder;
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
    if (last) lastEndMs += crowding * getBatchMs(last);
    if (last && lastEndMs > last.byMs) return false;
    batches.push(startBatch(rung, call.shape, call.rows - joined, call.softMs));
  }
  let doneMs = startMs;
  return batches.every(batch => {
    doneMs += crowding * getBatchMs(batch);
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
