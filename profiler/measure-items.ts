import { availableParallelism } from "node:os";
import type { Pipeline } from "../domain/pipeline.ts";
import type { LabelledItem } from "../gateway/stage.ts";
import { ItemMeasurer } from "./item-measurer.ts";
import type { PipelineSource } from "./item-messages.ts";
import type { ItemResult } from "./item-result.ts";

export interface MeasureItemsOptions extends PipelineSource {
  /** Processes at most, each with all models; null: one for each core. */
  readonly jobs: number | null;
  /** Whether another item is begun that is not known; the first one always is. Missing: all are. */
  readonly isGoingOn?: () => boolean;
  /** What has been measured of an item before; undefined: nothing. */
  readonly known?: (item: LabelledItem) => ItemResult | undefined;
  /** After each item that was measured now; the next one of its process waits for it. */
  readonly onMeasured: (result: ItemResult, item: LabelledItem) => void | Promise<void>;
}

/**
 * Takes items through every combination of variants, on as many cores as there are or `jobs` says; the models do the most of it. A process is started
 * only when there is something to measure.
 *
 * @returns results of the first items in their order: of all, unless it did not go on.
 * @throws failed_precondition when the pipeline's code or a model can't be loaded or run; what `items` or `onMeasured` throws.
 */
export async function measureItems(
  items: AsyncIterable<LabelledItem>,
  options: MeasureItemsOptions,
): Promise<ItemResult[]> {
  const { pipeline, file, modelFolder, jobs, isGoingOn = () => true, known = () => undefined, onMeasured } = options;
  const results: ItemResult[] = [];
  const iterator = items[Symbol.asyncIterator]();
  const measurers: ItemMeasurer[] = [];
  let taken = 0;
  let isOver = false;
  let isBegun = false;
  const runLane = async (): Promise<void> => {
    let measurer: ItemMeasurer | null = null;
    while (!isOver) {
      const index = taken++;
      const { value: item, done } = await iterator.next();
      if (done) return;
      const before = known(item);
      if (before) {
        results[index] = before;
        continue;
      }
      if (isBegun && !isGoingOn()) return;
      isBegun = true;
      if (measurer === null) {
        measurer = await ItemMeasurer.open({ pipeline, file, modelFolder });
        measurers.push(measurer);
      }
      const result = await measurer.measure(item);
      results[index] = result;
      await onMeasured(result, item);
    }
  };
  const lanes = Array.from({ length: Math.min(jobs ?? Number.POSITIVE_INFINITY, lanesOf(pipeline)) }, runLane);
  try {
    await Promise.all(lanes);
    // Where it did not go on one lane may have ended before an item that another one is past.
    const end = Array.from(results).indexOf(undefined as never);
    return end === -1 ? results : results.slice(0, end);
  } finally {
    // After an error the others end with the item that they have.
    isOver = true;
    await Promise.allSettled(lanes);
    await iterator.return?.();
    await Promise.allSettled(measurers.map(measurer => measurer.close()));
  }
}

/** Says how many items there are results of, and, where some are missing, how long they take about. */
export function describeProgress(measured: number, items: number, leftMs: number): string {
  const time = leftMs < 60_000 ? `${Math.ceil(leftMs / 1000)} s` : `${Math.ceil(leftMs / 60_000)} min`;
  return `${measured} of ${items} items${leftMs > 0 ? `, about ${time} left` : ""}`;
}

/** A stage whose models run on several cores leaves fewer for other items; another server has its own. */
function lanesOf({ stages }: Pipeline): number {
  if (stages.some(({ variants }) => variants.some(({ sha256 }) => sha256 === null))) return 1;
  return Math.max(1, Math.floor(availableParallelism() / Math.max(...stages.map(({ cores }) => cores), 1)));
}
