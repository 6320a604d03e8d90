import { BatchTimes } from "../domain/serving/batch-times.ts";
import type { Batch } from "../domain/serving/choose-batch.ts";
import { type Budgets, NO_BUDGETS } from "../domain/serving/deadlines.ts";
import type { Call, Ladder } from "../domain/serving/ladder.ts";
import { WaitingCalls } from "../domain/serving/waiting-calls.ts";
import { factorStep, rungAt, type ServiceTable } from "./service-table.ts";

/** `pending`: no node has room. `draining`: gets no new work. */
export type Phase = "pending" | "starting" | "ready" | "draining" | "gone";

/** A variant that a replica may serve. */
export interface Served {
  readonly table: ServiceTable;
  readonly maxBatch: number;
}

/** The rows of one request at one replica. */
export interface SimCall extends Call {
  readonly request: number;
  readonly addedMs: number;
  /** Another replica refused it, or was gone before it answered. */
  readonly isRetry: boolean;
}

/** Batches of one variant and size: their number and time, as a switcher reports them. */
export interface ServiceTimes {
  readonly variant: string;
  readonly rows: number;
  batches: number;
  totalMs: number;
}

/** Weight of the newest batch in the milliseconds that a row takes lately. */
const NEWEST_WEIGHT = 0.1;
/** Larger than any batch: places of variants and rows are one key. */
const MOST_ROWS = 4097;

/** One pod of a stage: the calls that wait, the batch that runs, and what it may serve. How it changes that is in SimSwitcher. */
export class SimReplica {
  readonly id: number;
  readonly stage: number;
  readonly pod: string;
  readonly bornMs: number;
  phase: Phase = "pending";
  /** Node that it is on; -1: none. */
  node = -1;
  /** Cores that it takes of its node. */
  cores = 0;
  readonly waiting = new WaitingCalls<SimCall>();
  /** No call that waits has a hard deadline before it. */
  soonestHardMs = 0;
  /** Null: the replica is idle. */
  running: Batch | null = null;
  runningSinceMs = 0;
  /** When the batch that runs is expected to end. */
  freeAtMs = 0;
  readonly batchTimes = new BatchTimes();
  readonly serviceTimes = new Map<number, ServiceTimes>();
  /** Rows that it was sent and has not answered. */
  outstandingRows = 0;
  /** Milliseconds that it takes for a row lately. */
  rowMs = 0;
  /** Calls get their deadlines by these. */
  budgets: Budgets = NO_BUDGETS;
  #rungs: readonly Served[] = [];
  #others: readonly Served[] = [];
  #ladder: Ladder = { rungs: [], others: [] };
  #step = 0;

  constructor(id: number, stage: number, pod: string, bornMs: number) {
    this.id = id;
    this.stage = stage;
    this.pod = pod;
    this.bornMs = bornMs;
  }

  /** What may serve, the most accurate first; empty before something is in memory. */
  get rungs(): readonly Served[] {
    return this.#rungs;
  }

  /** The most accurate variant that serves; null: none does. */
  get top(): Served | null {
    return this.#rungs[0] ?? null;
  }

  /** What may serve, with times as they are here just now; it has no rungs before something is in memory. */
  get ladder(): Ladder {
    const step = factorStep(this.batchTimes.factor);
    if (step !== this.#step) this.#build(step);
    return this.#ladder;
  }

  /** Serves this from the next batch on. `others` serve only calls that they have begun. */
  serve(rungs: readonly Served[], others: readonly Served[]): void {
    this.#rungs = rungs;
    this.#others = others;
    this.#build(factorStep(this.batchTimes.factor));
    const { top } = this;
    if (top && this.rowMs === 0) this.rowMs = rowMs(top);
  }

  /** A batch has ended: its time counts for expectations and for what is reported. */
  ran({ table }: Served, rows: number, profileMs: number, nowMs: number): void {
    const tookMs = nowMs - this.runningSinceMs;
    this.batchTimes.ran({ measuredMs: profileMs, serviceMs: tookMs, tookMs, endedMs: nowMs, wasLoading: false });
    this.rowMs += NEWEST_WEIGHT * (tookMs / rows - this.rowMs);
    const key = table.place * MOST_ROWS + rows;
    const times = this.serviceTimes.get(key);
    if (times) {
      times.batches += 1;
      times.totalMs += tookMs;
    } else this.serviceTimes.set(key, { variant: table.variant.name, rows, batches: 1, totalMs: tookMs });
  }

  #build(step: number): void {
    const asRungs = (all: readonly Served[]) => all.map(({ table, maxBatch }) => rungAt(table, maxBatch, step));
    this.#ladder = { rungs: asRungs(this.#rungs), others: asRungs(this.#others) };
    this.#step = step;
  }
}

function rowMs({ table: { meanMs }, maxBatch }: Served): number {
  const rows = Math.min(maxBatch, meanMs.length - 1);
  return (meanMs[rows] as number) / rows;
}
