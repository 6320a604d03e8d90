/** The contenders on real processes: the product, and of other ways to serve those that simulations find best. */
import { type Combination, findCapacityRps, pickVariants, staticOverrides } from "../../cli/demo/demo-rates.ts";
import type { DemoSetting } from "../../cli/demo/demo-setting.ts";
import type { SimulationCase } from "../../cli/simulate/cases.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import { runAll, type SimulationResult } from "../../cli/simulate/run-all.ts";
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
export function listCombinations({ stages }: Pick<Pipeline, "stages">): readonly Combination[] {
  return stages.reduce<Record<string, string>[]>(
    (before, { name, variants }) =>
      variants
        .filter(({ profile }) => profile !== null)
        .flatMap(variant => before.map(chosen => ({ ...chosen, [name]: variant.name }))),
    [{}],
  );
}

/** Ways to serve beside the product: best fixed variants under our scaler, and fixed variants or the ladder behind a plain HPA. */
export type Family = "fixed" | "fixed+HPA" | "ladder+HPA";

/** The contender of a family with these variants; with the ladder they are the heaviest that may serve. */
export function createContender(family: Family, pipeline: Pipeline, variants: Combination): Contender {
  const isHpa = family !== "fixed";
  const name = Object.values(variants).join(" → ");
  return {
    name: isHpa ? `${family} ${name}` : name,
    set: [
      ...staticOverrides(pipeline, variants),
      ...(isHpa ? ["spec.objective.policy=reactive"] : []),
      ...(family === "ladder+HPA" ? ["spec.serving.rule=ladder"] : []),
    ],
  };
}

/** The best contenders of a family for a load by simulation, at the core-seconds of the simulated product. */
export async function shortlistFamilies(
  {
    setting,
    machineCores,
  }: { readonly setting: Pick<DemoSetting, "pipeline" | "read">; readonly machineCores: number },
  course: Course,
  { arrivalsMs, seed }: Pick<Arrivals, "arrivalsMs"> & { readonly seed: number },
  counts: Readonly<Partial<Record<Family, number>>>,
): Promise<Readonly<Record<Family, readonly Contender[]>>> {
  const { pipeline } = setting;
  const ratesRps = countBySecond(course, arrivalsMs);
  const counted = ratesRps.subarray(WARM_UP_SECONDS);
  const candidates = (Object.keys(counts) as Family[]).flatMap(family =>
    listCombinations(pipeline).map(variants => ({ family, variants, ...createContender(family, pipeline, variants) })),
  );
  const cases = [PRODUCT, ...candidates].map(({ set }) =>
    createCase(setting.read(set), { machineCores, ratesRps, seed }),
  );
  const [own, ...others] = await runAll(cases, null, () => undefined);
  // Simulated replicas have cores of their own: what the machine can't carry is missed.
  const countCarried = ({ family, variants }: (typeof candidates)[number]): number => {
    const carrying = family === "ladder+HPA" ? pickVariants(pipeline, "lightest") : variants;
    return countShareWithin(counted, findCapacityRps(pipeline, machineCores, carrying));
  };
  const judge = ({ summary, seconds }: SimulationResult, share: number): Judged => ({
    effectivePercent: 100 * summary.effectiveAccuracy * share,
    coreSeconds: summary.cores * seconds,
  });
  const product = judge(own as SimulationResult, 1);
  const judged = candidates.map((candidate, at) => ({
    ...candidate,
    ...judge(others[at] as SimulationResult, countCarried(candidate)),
  }));
  const choose = (wanted: Family): readonly Contender[] => {
    const count = counts[wanted] ?? 0;
    const chosen =
      count > 0
        ? chooseWithin(
            judged.filter(({ family }) => family === wanted),
            product,
            count,
          )
        : [];
    return chosen.map(({ name, set }) => ({ name, set }));
  };
  return { fixed: choose("fixed"), "fixed+HPA": choose("fixed+HPA"), "ladder+HPA": choose("ladder+HPA") };
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
