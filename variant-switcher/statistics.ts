import type { DroppedRequest, RanBatch, ServedRequest, WorkObserver } from "./counters.ts";

/** How often something happened and how long it took in total. */
export interface Duration {
  readonly count: number;
  readonly ms: number;
}

export interface BatchStatistics {
  readonly rows: number;
  readonly computeInput: Duration;
  readonly computeInfer: Duration;
  readonly computeOutput: Duration;
}

/** What the statistics extension of the Open Inference Protocol says about one variant since the start. */
export interface VariantStatistics {
  /** Milliseconds since 1970; 0: never. */
  readonly lastInferenceMs: number;
  readonly rows: number;
  readonly batches: number;
  readonly success: Duration;
  readonly fail: Duration;
  readonly queue: Duration;
  readonly computeInput: Duration;
  readonly computeInfer: Duration;
  readonly computeOutput: Duration;
  readonly byRows: readonly BatchStatistics[];
}

interface Times {
  count: number;
  assembleMs: number;
  serviceMs: number;
  travelMs: number;
}

class Tally {
  lastInferenceMs = 0;
  rows = 0;
  batches = 0;
  readonly success = { count: 0, ms: 0 };
  readonly fail = { count: 0, ms: 0 };
  readonly queue = { count: 0, ms: 0 };
  readonly byRows = new Map<number, Times>();
}

/** Counts per variant for the statistics extension. */
export class Statistics implements WorkObserver {
  readonly #tallies: ReadonlyMap<string, Tally>;
  readonly #nowMs: () => number;

  constructor(variants: readonly string[], nowMs: () => number) {
    this.#tallies = new Map(variants.map(name => [name, new Tally()]));
    this.#nowMs = nowMs;
  }

  of(variant: string): VariantStatistics {
    const { byRows: tallied, ...tally } = this.#tallies.get(variant) ?? new Tally();
    const byRows = Array.from(tallied, ([rows, times]) => batchStatistics(rows, times));
    return {
      ...tally,
      computeInput: sum(byRows.map(({ computeInput }) => computeInput)),
      computeInfer: sum(byRows.map(({ computeInfer }) => computeInfer)),
      computeOutput: sum(byRows.map(({ computeOutput }) => computeOutput)),
      byRows,
    };
  }

  ran({ variant, rows, assembleMs, serviceMs, travelMs }: RanBatch): void {
    const tally = this.#tallies.get(variant);
    if (!tally) return;
    tally.batches++;
    let times = tally.byRows.get(rows);
    if (!times) {
      times = { count: 0, assembleMs: 0, serviceMs: 0, travelMs: 0 };
      tally.byRows.set(rows, times);
    }
    times.count++;
    times.assembleMs += assembleMs;
    times.serviceMs += serviceMs;
    times.travelMs += travelMs;
  }

  served({ variant, rows, waitedMs, totalMs }: ServedRequest): void {
    const tally = this.#tallies.get(variant);
    if (!tally) return;
    tally.lastInferenceMs = this.#nowMs();
    tally.rows += rows;
    add(tally.success, totalMs);
    add(tally.queue, waitedMs);
  }

  dropped({ variant, totalMs }: DroppedRequest): void {
    const tally = this.#tallies.get(variant ?? "");
    if (tally) add(tally.fail, totalMs);
  }
}

function add(duration: { count: number; ms: number }, ms: number): void {
  duration.count++;
  duration.ms += ms;
}

function sum(durations: readonly Duration[]): Duration {
  return durations.reduce((all, { count, ms }) => ({ count: all.count + count, ms: all.ms + ms }), { count: 0, ms: 0 });
}

function batchStatistics(rows: number, { count, assembleMs, serviceMs, travelMs }: Times): BatchStatistics {
  return {
    rows,
    computeInput: { count, ms: assembleMs },
    computeInfer: { count, ms: serviceMs },
    computeOutput: { count, ms: travelMs },
  };
}
