import { type Tuning, UNTUNED } from "../control/tuning.ts";
import type { Objective } from "../domain/pipeline-schema.ts";
import { type AgentLimits, allowedQuantiles } from "./limits.ts";

/** In steps of half a decade. */
const FACTORS = [1 / 10, 10 ** -0.5, 1, 10 ** 0.5, 10];

/**
 * Tunings that a search tries, without the default itself: every forecast quantile, weight of cores and weight of a switch that the limits allow,
 * in a random order.
 */
export function armsOf(weights: Objective["weights"], limits: AgentLimits, random: () => number): readonly Tuning[] {
  const factors = FACTORS.filter(factor => factor <= limits.weightFactor && factor >= 1 / limits.weightFactor);
  const arms: Tuning[] = [];
  for (const forecastQuantile of allowedQuantiles(limits))
    for (const cost of weights.cost > 0 ? factors : [1])
      for (const change of weights.switch > 0 ? factors : [1])
        arms.push({
          ...UNTUNED,
          forecastQuantile,
          weights: { ...weights, cost: weights.cost * cost, switch: weights.switch * change },
        });
  return shuffled(arms, random);
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  for (let i = left.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [left[i], left[j]] = [left[j] as T, left[i] as T];
  }
  return left;
}
