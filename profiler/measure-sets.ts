import { VariscaleError } from "../domain/errors.ts";
import type { LabelledItem } from "../gateway/stage.ts";
import { itemKey } from "./item-key.ts";
import type { PipelineSource } from "./item-messages.ts";
import type { ItemResult } from "./item-result.ts";
import { describeProgress, measureItems } from "./measure-items.ts";
import type { ProfileCache } from "./profile-cache.ts";

export interface MeasureSetsOptions extends PipelineSource {
  /** Items of each set at most. */
  readonly items: number;
  /** Processes that measure at most; null: one for each core. */
  readonly jobs: number | null;
  /** What a run that was broken off has measured of them; new results are kept there. */
  readonly cache: ProfileCache;
  readonly onProgress: (line: string) => void;
  readonly nowMs: () => number;
}

/** Seconds to a minute of measuring. */
const ITEMS_PER_LINE = 20;
/** At most so much is measured anew after a run was killed; of thousands of items a save takes a second. */
const SAVE_MS = 15_000;

/**
 * Measures sets of labelled items, one after another. What has been measured is kept, also where measuring fails; where it can't be, that is
 * said.
 *
 * @returns results by the name of the set, in the order of its items.
 * @throws what `measureItems` throws.
 */
export async function measureSets(
  sets: Readonly<Record<string, (count: number) => AsyncIterable<LabelledItem>>>,
  options: MeasureSetsOptions,
): Promise<Readonly<Record<string, readonly ItemResult[]>>> {
  const { pipeline, file, modelFolder, items, jobs, cache, onProgress, nowMs } = options;
  const results: Record<string, readonly ItemResult[]> = {};
  const names = Object.keys(sets);
  const startedMs = nowMs();
  let savedMs = startedMs;
  let measured = 0;
  let isKept = true;
  const save = async (): Promise<void> => {
    savedMs = nowMs();
    if (!isKept) return;
    try {
      await cache.save();
    } catch (error) {
      // Half an hour of measuring is worth more than being able to break it off. Two may save at once; one says it.
      if (isKept) onProgress(`a run that is broken off can't be gone on with: ${VariscaleError.from(error).message}`);
      isKept = false;
    }
  };
  try {
    for (const [index, [name, itemsOf]] of Object.entries(sets).entries()) {
      let known = 0;
      let own = 0;
      const say = (): void => {
        const left = items * (names.length - index) - known - own;
        const leftMs = ((nowMs() - startedMs) / Math.max(1, measured)) * left;
        onProgress(`${name}: ${describeProgress(known + own, items, leftMs)}`);
      };
      results[name] = await measureItems(itemsOf(items), {
        ...{ pipeline, file, modelFolder, jobs },
        // Items that have drifted may have the names of those that have not.
        known: item => {
          const result = cache.item(itemKey(item, name));
          if (result) known += 1;
          return result;
        },
        onMeasured: async (result, item) => {
          cache.addItem(itemKey(item, name), result);
          own += 1;
          measured += 1;
          if (own % ITEMS_PER_LINE === 0) say();
          if (nowMs() - savedMs >= SAVE_MS) await save();
        },
      });
      if (known > 0) onProgress(`${name}: ${known} items were kept from the run before`);
      if (own === 0 || own % ITEMS_PER_LINE !== 0) onProgress(`${name}: ${known + own} of ${items} items`);
    }
    return results;
  } finally {
    if (Object.keys(results).length < names.length) await save();
  }
}
