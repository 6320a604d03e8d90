import type { Configuration, Part, StageConfiguration } from "../domain/configuration.ts";
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
  const taken = mostRaised(problem, configurationOf(plan), wanted);
  if (taken === null) return decision;
  const others = reasons.filter(reason => reason !== "optimal");
  return { plan: inPlaceOf(plan, taken), reasons: withReason(others, "rising") };
}

/**
 * As far on the way from what was chosen to the replicas that are wanted as no limit is broken: what a plan that is held has more of than the
 * wanted one may leave room for a part alone. Null: for none of it.
 */
function mostRaised(problem: Problem, chosen: Configuration, wanted: Configuration): Plan | null {
  const missing = (stage: string, part: Part) => missingReplicas(part, wanted[stage]);
  const steps = Math.max(
    0,
    ...Object.entries(chosen).flatMap(([stage, { parts }]) => parts.map(part => missing(stage, part))),
  );
  let best: Plan | null = null;
  let [fitting, most, step] = [0, steps, steps];
  while (fitting < most) {
    const share = (count: number) => Math.floor((count * step) / steps);
    const raised = Object.entries(chosen).map(([stage, { parts }]) => [
      stage,
      { parts: parts.map(part => ({ ...part, replicas: part.replicas + share(missing(stage, part)) })) },
    ]);
    const plan = evaluate(problem, Object.fromEntries(raised));
    if (plan.feasible) [best, fitting] = [plan, step];
    else most = step - 1;
    step = Math.ceil((fitting + most) / 2);
  }
  return best;
}

function missingReplicas({ variant, replicas }: Part, wanted: StageConfiguration | undefined): number {
  const same = wanted?.parts.find(other => other.variant === variant);
  return Math.max(0, (same?.replicas ?? 0) - replicas);
}

function pinsOf({ stages }: Plan): StagePin[] {
  return stages.flatMap(({ stage, parts }) =>
    parts.map(({ variant, batch }) => ({ stage, variant, batch, replicas: null })),
  );
}
