/**
 * The batches of one replica as a Markov chain: after each batch it is known how long it took and which rows it left waiting, and by the calls that
 * came meanwhile the rule of the switchers (`domain/serving`) chooses the next one. Calls come at random, and stand in the queue where they are
 * expected to: those that came during a batch are spread evenly over it.
 */
import { type Rung, rowsMs } from "../../domain/serving/ladder.ts";

/** One replica and what it has to serve. Times are milliseconds. */
export interface ServedReplica {
  /** The rungs that may serve, the most accurate first. At least one. */
  readonly rungs: readonly Rung[];
  /** Every call has so many, and no more than the smallest of the rungs' batches can be waited for. */
  readonly rowsPerCall: number;
  /** From a call's arrival to its deadlines. */
  readonly softMs: number;
  readonly hardMs: number;
  /** Calls a millisecond, on average. */
  readonly callsPerMs: number;
  /**
   * The rate of calls over the average one while the replica has not answered so many rows: a gateway that balances sends fewer to the busier
   * one. Default: always 1.
   */
  readonly weigh?: (rows: number) => number;
}

/** A batch that has begun, and what still waits. */
interface Batch {
  readonly rung: number;
  readonly rows: number;
  readonly ms: number;
  readonly waitingRows: number;
}

export interface SolvedChain {
  /** The share of rows that each rung serves; they add up to 1. */
  readonly shares: readonly number[];
  /** Rows of a batch, on average over the batches. */
  readonly meanRows: number;
  /** For each number of rows the share of the time in which at least so many are not answered. */
  readonly outstanding: Float64Array;
}

/** Longer queues are cut off here: such a replica serves by its floor alone, and refuses. */
const MOST_CALLS = 200;
/** Numbers of calls that are less likely than this are left out. */
const NEGLIGIBLE = 1e-6;
const MOST_STEPS = 400;
/** The shares of batches change by less than this where they are known. */
const SETTLED = 1e-5;
/** A batch is looked at so often for how many rows wait while it runs. */
const LOOKS = 4;

/** Solves for how often each batch is served. */
export function solveChain(replica: ServedReplica): SolvedChain {
  const chain = new BatchChain(replica);
  const probabilities = chain.solve();
  return {
    shares: chain.measureShares(probabilities),
    meanRows: chain.batches.reduce((sum, { rows }, i) => sum + (probabilities[i] as number) * rows, 0),
    outstanding: chain.measureOutstanding(probabilities),
  };
}

/** Transitions of one batch: the place of the next one, and how likely it is. */
interface Transitions {
  readonly to: readonly number[];
  readonly share: readonly number[];
}

class BatchChain {
  /** All that can follow the first one, a call that finds the replica idle. */
  readonly batches: Batch[] = [];
  readonly #places = new Map<string, number>();
  readonly #transitions: Transitions[] = [];
  readonly #replica: ServedReplica;
  readonly #mostCalls: number;

  constructor(replica: ServedReplica) {
    this.#replica = replica;
    this.#mostCalls = countMostCalls(replica);
    const first = this.#addNext(0, 1, 0);
    for (let at = 0; at < this.batches.length; at += 1) this.#transitions.push(this.#follow(at, first));
  }

  /** The share of batches that each one has, by steps from the first one on. */
  solve(): Float64Array {
    let now = new Float64Array(this.batches.length);
    now[0] = 1;
    for (let step = 0; step < MOST_STEPS; step += 1) {
      const next = new Float64Array(now.length);
      for (const [at, { to, share }] of this.#transitions.entries())
        for (const [i, place] of to.entries())
          next[place] = (next[place] as number) + (now[at] as number) * (share[i] as number);
      const change = next.reduce((sum, value, at) => sum + Math.abs(value - (now[at] as number)), 0);
      now = next;
      if (change < SETTLED) break;
    }
    return now;
  }

  measureShares(probabilities: Float64Array): readonly number[] {
    const rows = this.#replica.rungs.map(() => 0);
    for (const [at, batch] of this.batches.entries())
      rows[batch.rung] = (rows[batch.rung] as number) + (probabilities[at] as number) * batch.rows;
    const all = rows.reduce((sum, one) => sum + one, 0);
    return rows.map(one => one / all);
  }

  measureOutstanding(probabilities: Float64Array): Float64Array {
    const { callsPerMs, rowsPerCall, weigh = () => 1 } = this.#replica;
    const timeMs = new Float64Array((2 * this.#mostCalls + 2) * rowsPerCall + 1);
    const add = (rows: number, ms: number): void => {
      const place = Math.min(rows, timeMs.length - 1);
      timeMs[place] = (timeMs[place] as number) + ms;
    };
    for (const [at, batch] of this.batches.entries()) {
      const weight = probabilities[at] as number;
      const calls = this.#expectCalls(batch);
      for (let look = 0; look < LOOKS; look += 1)
        for (const [came, share] of listPoisson((calls * (look + 0.5)) / LOOKS, this.#mostCalls).entries())
          add(batch.rows + batch.waitingRows + came * rowsPerCall, (weight * share * batch.ms) / LOOKS);
      if (batch.waitingRows === 0) add(0, (weight * Math.exp(-calls)) / (callsPerMs * weigh(0)));
    }
    const whole = timeMs.reduce((sum, ms) => sum + ms, 0);
    let atLeast = 0;
    return timeMs
      .toReversed()
      .map(ms => {
        atLeast += ms / whole;
        return atLeast;
      })
      .reverse();
  }

  #follow(at: number, first: number): Transitions {
    const batch = this.batches[at] as Batch;
    const shares = new Map<number, number>();
    for (const [came, share] of listPoisson(this.#expectCalls(batch), this.#mostCalls).entries()) {
      const isIdle = batch.waitingRows === 0 && came === 0;
      const place = isIdle ? first : this.#addNext(batch.waitingRows, came, batch.ms);
      shares.set(place, (shares.get(place) ?? 0) + share);
    }
    return { to: [...shares.keys()], share: [...shares.values()] };
  }

  /** The calls that come while a batch runs, as many as are expected by what is not answered meanwhile. */
  #expectCalls({ ms, rows, waitingRows }: Batch): number {
    const { callsPerMs, rowsPerCall, weigh } = this.#replica;
    if (!weigh) return callsPerMs * ms;
    let calls = 0;
    for (let look = 0; look < 2 * LOOKS; look += 1)
      calls += ((callsPerMs * ms) / (2 * LOOKS)) * weigh(Math.round(rows + waitingRows + calls * rowsPerCall));
    return calls;
  }

  /** The place of the batch that follows where `waitingRows` are left of before and `came` calls have come in `ms`. */
  #addNext(waitingRows: number, came: number, ms: number): number {
    const { rungs, rowsPerCall } = this.#replica;
    const mostRows = this.#mostCalls * rowsPerCall;
    // The oldest ones are those that would be refused.
    const calls = Math.min(came, this.#mostCalls);
    const left = Math.min(waitingRows, mostRows - calls * rowsPerCall);
    const rung = this.#chooseRung(left, calls, ms);
    const { maxBatch, batchMs } = rungs[rung] as Rung;
    const waiting = left + calls * rowsPerCall;
    const rows = Math.min(maxBatch, waiting);
    const key = `${rung} ${rows} ${waiting - rows}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#places.set(key, this.batches.length);
    return this.batches.push({ rung, rows, ms: batchMs[rows] as number, waitingRows: waiting - rows }) - 1;
  }

  /** The most accurate rung with which all that wait, and one call more, are done by their soft deadlines. */
  #chooseRung(left: number, came: number, ms: number): number {
    const { rungs } = this.#replica;
    for (let at = 0; at < rungs.length - 1; at += 1) if (this.#isInTime(rungs[at] as Rung, left, came, ms)) return at;
    return rungs.length - 1;
  }

  #isInTime(rung: Rung, left: number, came: number, ms: number): boolean {
    const { rowsPerCall, softMs } = this.#replica;
    const waiting = left + came * rowsPerCall;
    const all = waiting + rowsPerCall;
    for (let row = 0; row < all; row += rung.maxBatch) {
      const doneMs = rowsMs(rung, Math.min(all, row + rung.maxBatch));
      if (doneMs > softMs - this.#ageMs(row, left, came, ms)) return false;
    }
    return true;
  }

  /** How long the call has waited that this row is of, of those that are left, came, or are one more. */
  #ageMs(row: number, left: number, came: number, ms: number): number {
    const { rowsPerCall, callsPerMs } = this.#replica;
    if (row >= left) {
      const call = Math.floor((row - left) / rowsPerCall);
      return call < came ? ms * (1 - (call + 1) / (came + 1)) : 0;
    }
    const newer = Math.ceil((left - row) / rowsPerCall) - 0.5;
    return ms + newer / callsPerMs;
  }
}

/** The most calls that the floor serves by their hard deadlines, and one more. */
function countMostCalls({ rungs, rowsPerCall, hardMs }: ServedReplica): number {
  const floor = rungs.at(-1) as Rung;
  let calls = 1;
  while (calls < MOST_CALLS && rowsMs(floor, rowsPerCall * (calls + 1)) <= hardMs) calls += 1;
  return calls + 1;
}

/** How likely each number of calls is, from 0 on, where `mean` are expected; the last one stands for all above it, too. */
function listPoisson(mean: number, most: number): readonly number[] {
  const shares: number[] = [];
  let share = Math.exp(-mean);
  let above = 1;
  for (let calls = 0; calls < most + mean + MOST_CALLS && above - share > NEGLIGIBLE; calls += 1) {
    shares.push(share);
    above -= share;
    share *= mean / (calls + 1);
  }
  shares.push(above);
  return shares;
}
