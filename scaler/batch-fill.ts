import type { ServiceTimes, SwitcherView } from "../control/switcher-view.ts";

/** Batches that a switcher ran, and the rows in them. */
export interface ServedBatches {
  readonly batches: number;
  readonly rows: number;
}

/** Mean rows of the batches that a pipeline's switchers served since a look some seconds ago, by stage. */
export class BatchFill {
  /** Cumulative, by stage and pod. */
  #before = new Map<string, ServedBatches>();
  #mean = new Map<string, number>();

  /** Rows of a batch at the look before this one and now; null: none was served in between. */
  of(stage: string): number | null {
    return this.#mean.get(stage) ?? null;
  }

  look(views: readonly SwitcherView[]): void {
    const now = new Map<string, ServedBatches>();
    const sums = new Map<string, { batches: number; rows: number }>();
    for (const view of views) {
      const id = `${view.stage}/${view.pod}`;
      const seen = servedBatches(view.serviceTimes);
      now.set(id, seen);
      const before = this.#before.get(id);
      // One that is new, or was started again, counts from the next look on.
      if (!before || seen.batches < before.batches) continue;
      const sum = sums.get(view.stage) ?? { batches: 0, rows: 0 };
      sum.batches += seen.batches - before.batches;
      sum.rows += seen.rows - before.rows;
      sums.set(view.stage, sum);
    }
    this.#before = now;
    this.#mean = new Map(
      [...sums].flatMap(([stage, { batches, rows }]) => (batches > 0 && rows >= 0 ? [[stage, rows / batches]] : [])),
    );
  }
}

/** What service times by batch size come to. */
export function servedBatches(serviceTimes: readonly ServiceTimes[]): ServedBatches {
  return serviceTimes.reduce<ServedBatches>(
    (sum, { rows, batches }) => ({ batches: sum.batches + batches, rows: sum.rows + rows * batches }),
    { batches: 0, rows: 0 },
  );
}
