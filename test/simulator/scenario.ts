import type { Pipeline } from "../../domain/pipeline.ts";
import type { LoadTrace } from "../../load/load-trace.ts";
import { poissonCount } from "../../load/poisson-count.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import type { SimulationOptions } from "../../simulator/simulation-run.ts";

/** A cluster in which counts follow at once and pods start at once. */
export const PROMPT = { syncMs: 1000, tolerance: 0, podStartMs: 0, cooldownMs: 30_000, nodes: null };

/** Poisson counts of a rate that may change from second to second. */
export function poissonLoad(seconds: number, rateAt: (second: number) => number, seed = 1): LoadTrace {
  const random = seededRandom(seed);
  return {
    startMs: Date.UTC(2026, 0, 5),
    ratesRps: Float64Array.from({ length: seconds }, (_, second) => poissonCount(random, rateAt(second))),
  };
}

/** The variant that served most rows; empty: none did. */
export function mostServed(rows: Readonly<Record<string, number>>): string {
  return Object.entries(rows).toSorted((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}

export function scenario(
  pipeline: Pipeline,
  load: LoadTrace,
  more: Partial<SimulationOptions> = {},
): SimulationOptions {
  return {
    pipeline,
    load,
    warmUpSeconds: 30,
    history: [],
    model: null,
    forecast: "variscale",
    cluster: PROMPT,
    maxCores: null,
    timeoutMs: null,
    windowSeconds: 10,
    killEveryMs: null,
    seed: 1,
    ...more,
  };
}
