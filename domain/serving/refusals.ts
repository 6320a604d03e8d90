/**
 * Finds the calls to refuse, so that as many as possible of the others are served in time. `calls` are those that wait in the order of their
 * soft deadlines. `freeMs` is when the replica is free with what batches usually take beyond the expected, as what may still be in time is not
 * refused.
 *
 * Where not all can be in time, the first calls have the least time left, and a batch that must end by then is small: a replica that only
 * refuses hopeless calls serves small batches for as long as the overload lasts, and far less than it could. Nexus (SOSP'19, "early drop")
 * lets the first ones go until a full batch is in time; here they go only where that costs no more refusals among the calls that are there.
 */
import { type ExpectedBatch, findJoinable, getBatchMs, lateAfterMs, startBatch } from "./expected-batches.ts";
import { type Call, findRung, getFloor, type Ladder, type Rung, rowsMs } from "./ladder.ts";

const NONE: readonly never[] = [];
/** Calls that are looked at again, in all, to find how many of the first ones should give way: a long queue is not looked through for each number. */
const LOOKED_AT = 1024;

/**
 * The calls that are to be refused now; none as long as the floor serves all in time. `isIdle`: a batch is to start now. While one runs, only
 * hopeless calls are refused, and only those that would be so without the calls that give way: these still wait.
 *
 * An idle replica keeps the call with the most time where all would be refused, so that an expectation that has become wrong is
 * corrected by what really happens.
 */
export function findRefused<T extends Call>(
  ladder: Ladder,
  calls: readonly T[],
  freeMs: number,
  isIdle: boolean,
): readonly T[] {
  if (isIdle && calls.length <= 1) return NONE;
  const hopeless = findHopeless(ladder, calls, freeMs);
  if (hopeless.length === 0) return NONE;
  const fewest = findFewest(ladder, calls, freeMs, hopeless);
  if (!isIdle) {
    const gone = new Set(fewest);
    return hopeless.filter(call => gone.has(call));
  }
  if (fewest.length < calls.length) return fewest;
  const kept = fewest.reduce((most, call) => (call.hardMs > most.hardMs ? call : most));
  return fewest.filter(call => call !== kept);
}

/**
 * The first calls that give way, and those that are hopeless behind them: as few as possible, and of equally few those that leave the next
 * batch the most time. None where batches have one row, as that gets no larger; a batch of them is enough.
 */
function findFewest<T extends Call>(
  ladder: Ladder,
  calls: readonly T[],
  freeMs: number,
  hopeless: readonly T[],
): readonly T[] {
  const most = Math.min(getFloor(ladder).maxBatch, calls.length) - 1;
  const step = Math.max(1, Math.ceil((most * calls.length) / LOOKED_AT));
  let giving = 0;
  let others = hopeless;
  for (let count = step; count <= Math.min(most, giving + others.length); count += step) {
    const left = findHopeless(ladder, calls, freeMs, count);
    if (count + left.length > giving + others.length) continue;
    giving = count;
    others = left;
  }
  return [...calls.slice(0, giving), ...others];
}

/**
 * The calls that even the floor, or the variant that they ask for, can't serve by their hard deadlines, behind what is before them. One that
 * becomes hopeless only because calls behind it join a batch before it is found when that batch has ended. The first `from` calls are left out.
 */
export function findHopeless<T extends Call>(
  ladder: Ladder,
  calls: readonly T[],
  freeMs: number,
  from = 0,
): readonly T[] {
  const floor = getFloor(ladder);
  let hopeless: T[] | null = null;
  const batches: ExpectedBatch[] = [];
  let endMs = freeMs;
  for (let at = from; at < calls.length; at += 1) {
    const call = calls[at] as T;
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
