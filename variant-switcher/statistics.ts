import type { ModelStatistics } from "../proto/generated/inference/ModelStatistics.ts";
import type { BatchTotals, Duration, VariantCounters } from "./counters.ts";

const NS_PER_MS = 1e6;
/** No answer is kept for the next request. */
const NEVER = { count: 0, ns: 0 };

/** Describes one variant as the statistics extension of the Open Inference Protocol does, with the names of its gRPC form. */
export function createStatistics(name: string, version: string, counters: VariantCounters): ModelStatistics {
  return {
    name,
    version,
    lastInference: counters.lastServedMs,
    inferenceCount: counters.servedRows,
    executionCount: counters.batches.count,
    inferenceStats: {
      success: toNanoseconds(counters.success),
      fail: toNanoseconds(counters.fail),
      queue: toNanoseconds(counters.queue),
      ...describeBatches(counters.batches),
      cacheHit: NEVER,
      cacheMiss: NEVER,
    },
    batchStats: Array.from(counters.batchesByRows, ([batchSize, totals]) => ({
      batchSize,
      ...describeBatches(totals),
    })),
  };
}

function describeBatches({ count, assembleMs, serviceMs, travelMs }: BatchTotals) {
  return {
    computeInput: toNanoseconds({ count, ms: assembleMs }),
    computeInfer: toNanoseconds({ count, ms: serviceMs }),
    computeOutput: toNanoseconds({ count, ms: travelMs }),
  };
}

function toNanoseconds({ count, ms }: Duration): { readonly count: number; readonly ns: number } {
  return { count, ns: Math.round(ms * NS_PER_MS) };
}
