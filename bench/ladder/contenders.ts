/** The contenders on real processes: the product, and the combinations of fixed variants that simulations find best. */
import { findCapacityRps, staticOverrides } from "../../cli/demo/demo-rates.ts";
import type { DemoSetting } from "../../cli/demo/demo-setting.ts";
import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import { runAll } from "../../cli/simulate/run-all.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { UNDATED_START_MS } from "../../load/load-trace.ts";
import type { Arrivals, Course } from "./conditions.ts";

/** Contenders differ by fields of the pipeline file alone. */
export interface Contender {
  readonly name: string;
  readonly set: readonly string[];
}

export const PRODUCT: Contender = {
  name: "variscale",
  set: ["spec.objective.policy=default", "spec.serving.rule=ladder"],
};

/** Others may take so many times the core-seconds of the product. */
const MORE_CORES = 1.05;

/** Replicas of `variscale up` start and stop at once, beside what a cluster does. */
const CLUSTER = { syncMs: 1000, tolerance: 0, podStartMs: 1500, cooldownMs: 30_000, nodes: null };
const WARM_UP_SECONDS = 10;

export interface Judged {
  readonly effectivePercent: number;
  readonly coreSeconds: number;
}

/** The most accurate ones that take hardly more cores than the product, best first; the cheapest one where none does. */
export function chooseWithin<C extends Judged>(contenders: readonly C[], product: Judged, count: number): readonly C[] {
  const within = contenders.filter(({ coreSeconds }) => coreSeconds <= MORE_CORES * product.coreSeconds);
  if (within.length === 0) return contenders.toSorted((a, b) => a.coreSeconds - b.coreSeconds).slice(0, 1);
  return within
    .toSorted((a, b) => b.effectivePercent - a.effectivePercent || a.coreSeconds - b.coreSeconds)
    .slice(0, count);
}

/** Every combination of one variant for each stage, by `stage`. */
export function listCombinations({ stages }: Pick<Pipeline, "stages">): readonly Readonly<Record<string, string>>[] {
  return stages.reduce<Record<string, string>[]>(
    (before, { name, variants }) =>
      variants
        .filter(({ profile }) => profile !== null)
        .flatMap(variant => before.map(chosen => ({ ...chosen, [name]: variant.name }))),
    [{}],
  );
}

/** The best combinations of fixed variants for a load by simulation, at the core-seconds of the simulated product. */
export async function shortlistFixed(
  {
    setting,
    machineCores,
  }: { readonly setting: Pick<DemoSetting, "pipeline" | "read">; readonly machineCores: number },
  course: Course,
  { arrivalsMs, seed }: Pick<Arrivals, "arrivalsMs"> & { readonly seed: number },
  count: number,
): Promise<readonly Contender[]> {
  const { pipeline } = setting;
  const ratesRps = countBySecond(course, arrivalsMs);
  const combinations = listCombinations(pipeline);
  const contenders = [
    PRODUCT,
    ...combinations.map(variants => ({
      name: Object.values(variants).join(" → "),
      set: staticOverrides(pipeline, variants),
    })),
  ];
  const cases = contenders.map(({ set }) => createCase(setting.read(set), { machineCores, ratesRps, seed }));
  const counted = ratesRps.subarray(WARM_UP_SECONDS);
  const results = await runAll(cases, null, () => undefined);
  const judged = results.map(({ summary, seconds }, at) => {
    const variants = combinations[at - 1];
    // Simulated replicas have cores of their own: what the machine can't carry is missed.
    const share = variants ? countShareWithin(counted, findCapacityRps(pipeline, machineCores, variants)) : 1;
    return {
      contender: contenders[at] as Contender,
      effectivePercent: 100 * summary.effectiveAccuracy * share,
      coreSeconds: summary.cores * seconds,
    };
  });
  const [product, ...fixed] = judged as [(typeof judged)[number], ...typeof judged];
  return chooseWithin(fixed, product, count).map(({ contender }) => contender);
}

function createCase(
  pipeline: Pipeline,
  { machineCores, ratesRps, seed }: Pick<SimulationCase, "seed"> & { machineCores: number; ratesRps: Float64Array },
): SimulationCase {
  return {
    policy: pipeline.objective.policy,
    pipeline,
    load: { startMs: UNDATED_START_MS, ratesRps },
    ...NO_PAST,
    forecast: "variscale",
    warmUpSeconds: WARM_UP_SECONDS,
    cluster: CLUSTER,
    maxCores: null,
    machineCores,
    timeoutMs: null,
    windowSeconds: 1,
    killEveryMs: null,
    seed,
  };
}

/** Requests of each second of the run, after a warm-up at its first rate. */
function countBySecond({ durationMs, peakRps, shareAt }: Course, arrivalsMs: readonly number[]): Float64Array {
  const rates = new Float64Array(WARM_UP_SECONDS + Math.ceil(durationMs / 1000)).fill(0);
  rates.fill(peakRps * shareAt(0), 0, WARM_UP_SECONDS);
  for (const atMs of arrivalsMs) {
    const second = WARM_UP_SECONDS + Math.floor(atMs / 1000);
    rates[second] = (rates[second] ?? 0) + 1;
  }
  return rates;
}

/** The share of the requests that come while no more of them come in a second than are carried. */
export function countShareWithin(ratesRps: Float64Array, capacityRps: number): number {
  const all = ratesRps.reduce((sum, rate) => sum + rate, 0);
  return all === 0 ? 1 : ratesRps.reduce((sum, rate) => sum + Math.min(rate, capacityRps), 0) / all;
}
