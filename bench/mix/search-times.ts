import type { Likely } from "../../domain/load.ts";
import { configurationOf } from "../../domain/plan.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { searchMix } from "../../optimizer/mix/search-mix.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { type Figure, figure } from "../figure.ts";
import { type InstanceSize, randomInstance } from "../optimizer-instances.ts";

const SIZES: readonly (readonly [name: string, size: InstanceSize, instances: number])[] = [
  ["optimizer.ladder3x6.medianMs", { stages: 3, variants: 6, batches: 7 }, 60],
  ["optimizer.ladder10x10.medianMs", { stages: 10, variants: 10, batches: 7 }, 10],
];
const SHORT_INSTANCES = 3;
/** Deviations of a normal distribution at the levels of RATE_QUANTILES and QUANTILES. */
const RATE_DEVIATIONS = [-1.645, -1.282, -0.674, 0, 0.674, 1.282, 1.645, 2.326];
const PEAK_DEVIATIONS = [0, 1.282, 1.645, 2.326];

/** How long plans for what is expected take, of random chains, with the plans for single rates that the search begins with. */
export function measureSearchTimes(isShort: boolean): Figure[] {
  return SIZES.map(([name, size, instances]) => {
    const count = isShort ? SHORT_INSTANCES : instances;
    const searches = Array.from({ length: count }, (_, seed) => timeSearch(size, seed));
    const times = searches.map(({ ms }) => ms).sort((a, b) => a - b);
    const planless = searches.filter(({ hasPlan }) => !hasPlan).length;
    return figure(name, round(times[Math.floor(count / 2)] ?? 0), {
      against: { worstMs: round(times.at(-1) ?? 0), planless },
      isWhole: !isShort,
      note: `${count} random chains of ${size.stages} stages with ${size.variants} variants and ${size.batches} batch sizes each, in the thread that asks; of planless ones nothing near a start is in time`,
    });
  });
}

function timeSearch(size: InstanceSize, seed: number): { readonly ms: number; readonly hasPlan: boolean } {
  const problem = toShared(randomInstance(size, seed));
  const likely = spread(problem.rateRps, seed);
  const startMs = performance.now();
  const starts = [problem.rateRps, likely.ratesRps[3] ?? 0].map(rateRps =>
    configurationOf(optimize({ ...problem, rateRps, runnerUp: false })),
  );
  const hasPlan = searchMix(problem, likely, starts) !== null;
  return { ms: performance.now() - startMs, hasPlan };
}

/** The problem with replicas that serve any of the variants on the same core, under the policy of the product. */
function toShared(problem: Problem): Problem {
  const { pipeline } = problem;
  const stages = pipeline.stages.map(stage => ({
    ...stage,
    cores: 1,
    variants: stage.variants.map(variant => ({
      ...variant,
      profile: variant.profile && { ...variant.profile, cores: 1 },
    })),
  }));
  const weights = { accuracy: 1, cost: 0.005, batch: 0, switch: 0 };
  const objective = { ...pipeline.objective, policy: "default" as const, podShape: "stage" as const, weights };
  return { ...problem, pipeline: { ...pipeline, stages, objective }, combine: {} };
}

/** Rates about half of the problem's, which is the 0.95 quantile of their highest second. */
function spread(rateRps: number, seed: number): Likely {
  const deviation = 0.1 + 0.4 * seededRandom(seed)();
  const medianRps = rateRps / Math.exp(1.645 * deviation) / 1.2;
  return {
    ratesRps: RATE_DEVIATIONS.map(z => medianRps * Math.exp(deviation * z)),
    peaksRps: PEAK_DEVIATIONS.map(z => 1.2 * medianRps * Math.exp(deviation * z)),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
