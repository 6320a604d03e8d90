import { type ServiceTimes, serviceMs } from "../profile.ts";

/** One variant that a replica may serve now. */
export interface Rung {
  readonly variant: string;
  /** Most rows of one batch. */
  readonly maxBatch: number;
  /** Milliseconds that a batch is expected to take, by its rows from 1 to `maxBatch`; entry 0 is not used. Never falls with the rows. */
  readonly batchMs: Float64Array;
}

/** The rungs that are resident and healthy. */
export interface Ladder {
  /** Those that a batch may be served by, the most accurate first: from the top that the plan allows down to the floor. At least one. */
  readonly rungs: readonly Rung[];
  /** Those above the top or below the floor: they serve only the calls that ask for them or that they have begun. */
  readonly others: readonly Rung[];
  /** Variants of `rungs` right above which a rung may serve that is not in memory. Missing: there is no such gap. */
  readonly belowGaps?: readonly string[];
  /** The choice of a rung takes batches to be so many times as long (1 or more), as others on the machine may become busy. Missing: 1. */
  readonly crowding?: number;
}

/** The rows of one request that one replica has to serve. All times are milliseconds on one clock. */
export interface Call {
  /** Rows that no batch has taken yet. */
  rows: number;
  /** Only calls of equal shape share a batch. */
  readonly shape: string;
  /** Choices aim at this time. */
  readonly softMs: number;
  /** Refusals look at this time; never before `softMs`. */
  readonly hardMs: number;
  /** The variant that it keeps, because a batch of that variant took its first rows or because it was asked for; null leaves it open. */
  variant: string | null;
  /** No other variant may serve it, as it was asked for. */
  readonly isBound?: boolean;
  /** The rungs that it keeps from calls before it: nothing more accurate than the first one that was chosen serves it. Missing: none. */
  readonly kept?: readonly { readonly variant: string | null }[];
}

/** A call that came now, as the largest recent one would: a rung must have room for it, too. */
export interface ExpectedCall {
  readonly rows: number;
  /** From its arrival to its soft deadline. */
  readonly softAfterMs: number;
  readonly nowMs: number;
}

/**
 * A rung from measured times. `factor` is how much longer this replica takes than the machine on which they were measured. Measured noise
 * may say that more rows take less time: such a batch counts as long as the smaller one.
 */
export function createRung(variant: string, times: ServiceTimes, maxBatch: number, factor = 1): Rung {
  const batchMs = new Float64Array(maxBatch + 1);
  for (let rows = 1; rows <= maxBatch; rows += 1)
    batchMs[rows] = Math.max(batchMs[rows - 1] ?? 0, factor * serviceMs(times, rows));
  return { variant, maxBatch, batchMs };
}

/** Milliseconds that `rows` rows take on a rung, in full batches and a last one of what is left. */
export function rowsMs({ maxBatch, batchMs }: Rung, rows: number): number {
  const rest = rows % maxBatch;
  return ((rows - rest) / maxBatch) * (batchMs[maxBatch] as number) + (batchMs[rest] as number);
}

/** The lightest rung that a batch may be served by. */
export function getFloor({ rungs }: Ladder): Rung {
  return rungs[rungs.length - 1] as Rung;
}

/** The rung of a variant that is resident, whether a batch may be served by it or not; undefined: none. */
export function findRung({ rungs, others }: Ladder, variant: string | null): Rung | undefined {
  if (variant === null) return undefined;
  const isWanted = (rung: Rung): boolean => rung.variant === variant;
  return rungs.find(isWanted) ?? others.find(isWanted);
}
