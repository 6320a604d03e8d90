import { optimize } from "../optimizer/optimize.ts";
import type { StagePin } from "../optimizer/problem.ts";
import { type IpaOptions, type IpaPipeline, ipaPipeline } from "./ipa-pipelines.ts";
import {
  type AccuracyAndCores,
  IPA_LOADS,
  IPA_PUBLISHED,
  type IpaLoad,
  PEAK_RPS,
  READING_ERROR,
} from "./ipa-published.ts";
import { problemWith } from "./optimizer-instances.ts";

export interface RunOptions extends IpaOptions {
  /** The variants that IPA's authors took for FA2-high, which are not the heaviest. */
  readonly paperHigh?: boolean;
}

/** Means of a policy's plans over a load: accuracy × 100 and cores. */
export function ipaRun(given: IpaPipeline, load: IpaLoad, options: RunOptions): AccuracyAndCores {
  const pipeline = ipaPipeline(given, options);
  const pins = given.stages.map(
    (stage, s): StagePin => ({ stage, variant: given.paperHigh[s] ?? null, batch: null, replicas: null }),
  );
  const plans = PEAK_RPS[load].map(rate =>
    optimize({ ...problemWith(pipeline, rate * given.margin), pins: options.paperHigh ? pins : [], runnerUp: false }),
  );
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return [100 * mean(plans.map(plan => plan.accuracy)), mean(plans.map(plan => plan.cores))];
}

/** Accuracy within the reading error; cores within a fifth. */
export function isReproduced(
  ours: AccuracyAndCores,
  published: AccuracyAndCores,
): { readonly accuracy: boolean; readonly cores: boolean } {
  return {
    accuracy: Math.abs(ours[0] - published[0]) <= READING_ERROR,
    cores: Math.abs(ours[1] / published[1] - 1) <= MOST_OF_CORES,
  };
}

/** Service times are known no better than that: means of one machine, or estimates. */
const MOST_OF_CORES = 0.2;
/** Weights of accuracy that are tried beside IPA's: a hundredth to 10,000, ten to a decade. */
const ALPHAS = Array.from({ length: 61 }, (_, i) => 10 ** (i / 10 - 2));
/** A run whose accuracy is this close comes before all others together. */
const NEAR = 1.2;

/**
 * The weight of a unit of accuracy (1, not a hundredth) with which most of IPA's four runs of a pipeline come near the published
 * accuracies; of several, the one that misses the least.
 */
export function nearestAlpha(given: IpaPipeline): number {
  let best = { alpha: given.alpha, far: Infinity, miss: Infinity };
  for (const alpha of [given.alpha, ...ALPHAS]) {
    const misses = IPA_LOADS.map(load => {
      const published = IPA_PUBLISHED[given.name]?.[load].ipa[0] ?? 0;
      return Math.abs(ipaRun(given, load, { policy: "ipa", alpha })[0] - published);
    });
    const far = misses.filter(miss => miss > NEAR).length;
    const miss = misses.reduce((sum, other) => sum + other, 0);
    if (far < best.far || (far === best.far && miss < best.miss - 1e-9)) best = { alpha, far, miss };
  }
  return best.alpha;
}
