import type { ServiceTimes, SwitcherView } from "../control/switcher-view.ts";
import type { VariantShare } from "../domain/plan.ts";

/** Batches that a switcher ran, and the rows in them. */
interface ServedBatches {
  readonly batches: number;
  readonly rows: number;
}

interface StageBatches {
  /** Mean of a batch. */
  readonly rows: number;
  readonly shares: readonly VariantShare[];
}

/** The batches that a pipeline's switchers served since a look some seconds ago, by stage. */
export class RecentBatches {
  /** Cumulative, by stage and pod, then by variant. */
  #before = new Map<string, ReadonlyMap<string, ServedBatches>>();
  #recent = new Map<string, StageBatches>();

  /** Gives null where none was served between the look before this one and now. */
  find(stage: string): StageBatches | null {
    return this.#recent.get(stage) ?? null;
  }

  look(views: readonly SwitcherView[]): void {
    const now = new Map<string, ReadonlyMap<string, ServedBatches>>();
    const sums = new Map<string, Map<string, ServedBatches>>();
    for (const view of views) {
      const id = `${view.stage}/${view.pod}`;
      const seen = batchesByVariant(view.serviceTimes);
      now.set(id, seen);
      const before = this.#before.get(id);
      // One that is new, or was started again, counts from the next look on.
      if (!before || [...before].some(([variant, { batches }]) => (seen.get(variant)?.batches ?? 0) < batches))
        continue;
      const sum = sums.get(view.stage) ?? new Map<string, ServedBatches>();
      sums.set(view.stage, sum);
      for (const [variant, { batches, rows }] of seen) {
        const known = before.get(variant) ?? { batches: 0, rows: 0 };
        addTo(sum, variant, { batches: batches - known.batches, rows: rows - known.rows });
      }
    }
    this.#before = now;
    this.#recent = new Map([...sums].flatMap(([stage, sum]) => toRecent(stage, sum)));
  }
}

function toRecent(stage: string, sum: ReadonlyMap<string, ServedBatches>): readonly [string, StageBatches][] {
  const total = sumBatches([...sum.values()]);
  if (total.batches <= 0 || total.rows < 0) return [];
  const shares = [...sum].flatMap(([variant, { rows }]) => (rows > 0 ? [{ variant, share: rows / total.rows }] : []));
  return [[stage, { rows: total.rows / total.batches, shares: shares.sort((a, b) => b.share - a.share) }]];
}

function batchesByVariant(serviceTimes: readonly ServiceTimes[]): ReadonlyMap<string, ServedBatches> {
  const byVariant = new Map<string, ServedBatches>();
  for (const { variant, rows, batches } of serviceTimes) addTo(byVariant, variant, { batches, rows: rows * batches });
  return byVariant;
}

function addTo(sums: Map<string, ServedBatches>, variant: string, more: ServedBatches): void {
  const sum = sums.get(variant);
  sums.set(variant, sum ? sumBatches([sum, more]) : more);
}

function sumBatches(all: readonly ServedBatches[]): ServedBatches {
  return all.reduce((sum, { batches, rows }) => ({ batches: sum.batches + batches, rows: sum.rows + rows }), {
    batches: 0,
    rows: 0,
  });
}
