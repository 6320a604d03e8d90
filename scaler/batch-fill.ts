import type { SwitcherView } from "../control/switcher-view.ts";

interface Seen {
  readonly batches: number;
  readonly rows: number;
}

/** Mean rows of the batches that a pipeline's switchers served since a look some seconds ago, by stage. */
export class BatchFill {
  /** Cumulative, by stage and pod. */
  #before = new Map<string, Seen>();
  #mean = new Map<string, number>();

  /** Rows of a batch at the look before this one and now; null: none was served in between. */
  of(stage: string): number | null {
    return this.#mean.get(stage) ?? null;
  }

  look(views: readonly SwitcherView[]): void {
    const now = new Map<string, Seen>();
    const sums = new Map<string, { batches: number; rows: number }>();
    for (const view of views) {
      const id = `${view.stage}/${view.pod}`;
      const seen = totalsOf(view);
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

function totalsOf({ serviceTimes }: SwitcherView): Seen {
  return serviceTimes.reduce<Seen>(
    (sum, { rows, batches }) => ({ batches: sum.batches + batches, rows: sum.rows + rows * batches }),
    { batches: 0, rows: 0 },
  );
}
