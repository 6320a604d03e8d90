import { type Configuration, replicasOf, type StageConfiguration } from "../domain/configuration.ts";
import { type Forecast, MAX_RATE_RPS } from "../domain/load.ts";
import { configurationOf, type Plan } from "../domain/plan.ts";
import { evaluate } from "../optimizer/evaluate.ts";
import { optimize } from "../optimizer/optimize.ts";
import type { Problem, StagePin } from "../optimizer/problem.ts";
import { type Decision, inPlaceOf, withReason } from "./decide.ts";

/**
 * The rate that a load which has outrun its forecast goes on to if it rises as it did; null: it has not. Worked: 10 rps were forecast, 18 come
 * and 9 did ten seconds before: 27.
 */
export function risenRps({ reactiveRps, riseRps = 0 }: Forecast, forecastRps: number): number | null {
  return reactiveRps > forecastRps && riseRps > 0 ? Math.min(reactiveRps + riseRps, MAX_RATE_RPS) : null;
}

/**
 * The decision with the replicas, as far as there may be so many, that a load needs which goes on rising: an HPA that looks now brings what
 * serves when they are ready, and looks again long after. Variants and batches stay: a rise may be chance, which costs replicas for a while.
 *
 * @param rateRps what the load goes on to, or would have from a rise within the hold window.
 */
export function withRise(problem: Problem, decision: Decision, rateRps: number): Decision {
  const { plan, reasons } = decision;
  if (rateRps <= problem.rateRps) return decision;
  const pins = [...problem.pins, ...pinsOf(plan)];
  const wanted = configurationOf(optimize({ ...problem, rateRps, pins, runnerUp: false }));
  const chosen = configurationOf(plan);
  const raised = Object.fromEntries(
    Object.entries(chosen).map(([stage, own]) => [stage, withReplicas(own, wanted[stage])]),
  );
  if (!hasMore(raised, chosen)) return decision;
  const taken = evaluate(problem, raised);
  if (!taken.feasible) return decision;
  const others = reasons.filter(reason => reason !== "optimal");
  return { plan: inPlaceOf(plan, taken), reasons: withReason(others, "rising") };
}

function pinsOf({ stages }: Plan): StagePin[] {
  return stages.flatMap(({ stage, parts }) =>
    parts.map(({ variant, batch }) => ({ stage, variant, batch, replicas: null })),
  );
}

function withReplicas({ parts }: StageConfiguration, wanted: StageConfiguration | undefined): StageConfiguration {
  return {
    parts: parts.map(part => {
      const same = wanted?.parts.find(({ variant }) => variant === part.variant);
      return { ...part, replicas: Math.max(part.replicas, same?.replicas ?? 0) };
    }),
  };
}

function hasMore(raised: Configuration, chosen: Configuration): boolean {
  return Object.entries(raised).some(([stage, more]) => {
    const own = chosen[stage];
    return own !== undefined && replicasOf(more) > replicasOf(own);
  });
}
