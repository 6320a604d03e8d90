import {
  type Configuration,
  doesVote,
  type Part,
  type StageConfiguration,
  servedName,
} from "../../domain/configuration.ts";
import { configurationOf, type Plan, type Reason } from "../../domain/plan.ts";
import { evaluate, isFeasible } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem, StagePin } from "../../optimizer/problem.ts";

/**
 * The plan with the replicas, as far as there may be so many, that a load needs which goes on rising: an HPA that looks now brings what
 * serves when they are ready, and looks again long after. Variants and batches stay: a rise may be chance, which costs replicas for a while.
 *
 * @param rateRps what the load goes on to, or would have from a rise within the hold window.
 */
export function withRise(problem: Problem, plan: Plan, rateRps: number): Plan {
  if (rateRps <= problem.rateRps || !plan.feasible) return plan;
  const pins = [...problem.pins, ...pinsOf(plan)];
  const wanted = configurationOf(optimize({ ...problem, rateRps, pins, runnerUp: false }));
  const taken = mostRaised(problem, configurationOf(plan), wanted);
  return taken === null ? plan : takeInPlace(plan, taken, "rising");
}

/** The plan that is taken although another one is better, with that as its runner-up, and the reason. */
export function takeInPlace(best: Plan, taken: Plan, reason: Reason): Plan {
  const { stages, objective, accuracy, cores, latencyMs, binding } = best;
  const lost = Math.max(0, objective - taken.objective);
  const others = best.reasons.filter(other => other !== "optimal");
  return {
    ...taken,
    reasons: addReason(others, reason),
    optimal: false,
    gap: lost + best.gap,
    binding,
    runnerUp: { stages, objective, accuracy, cores, latencyMs },
  };
}

/** The reasons with one more, if it is not among them. */
export function addReason(reasons: readonly Reason[], reason: Reason): readonly Reason[] {
  return reasons.includes(reason) ? reasons : [...reasons, reason];
}

/**
 * As far on the way from what was chosen to the replicas that are wanted as no limit is broken, first with all stages together and then with
 * one after the other: what a plan that is held has more of than the wanted one may leave room for a part alone. Null: for none of it.
 */
function mostRaised(problem: Problem, chosen: Configuration, wanted: Configuration): Plan | null {
  const goal = addReplicas(chosen, (stage, part) => missingReplicas(part, wanted[stage]));
  let raised = furthest(problem, chosen, goal);
  for (const [stage, whole] of Object.entries(goal)) raised = furthest(problem, raised, { ...raised, [stage]: whole });
  return raised === chosen ? null : evaluate(problem, raised);
}

/** Beyond so many steps not each is tried. */
const MOST_STEPS = 64;

/**
 * The most of the way that is feasible; `from` where nothing of it is. Each step is tried: an HPA's tolerance may leave out those between two
 * that it goes to.
 */
function furthest(problem: Problem, from: Configuration, goal: Configuration): Configuration {
  const missing = (stage: string, part: Part) => missingReplicas(part, goal[stage]);
  const steps = Math.max(
    0,
    ...Object.entries(from).flatMap(([stage, { parts }]) => parts.map(part => missing(stage, part))),
  );
  const stride = Math.ceil(steps / MOST_STEPS);
  for (let step = steps; step > 0; step -= step < 2 * stride ? 1 : stride) {
    const raised = addReplicas(from, (stage, part) => Math.round((missing(stage, part) * step) / steps));
    if (isFeasible(problem, raised)) return raised;
  }
  return from;
}

/** The configuration with so many more replicas of each part. */
function addReplicas(to: Configuration, count: (stage: string, part: Part) => number): Configuration {
  const add = (stage: string, part: Part): Part => ({ ...part, replicas: part.replicas + count(stage, part) });
  return Object.fromEntries(
    Object.entries(to).map(([stage, { parts }]) => [stage, { parts: parts.map(part => add(stage, part)) }]),
  );
}

function missingReplicas({ variant, replicas }: Part, wanted: StageConfiguration | undefined): number {
  const same = wanted?.parts.find(other => other.variant === variant);
  return Math.max(0, (same?.replicas ?? 0) - replicas);
}

function pinsOf({ stages }: Plan): StagePin[] {
  return stages.flatMap((plan): StagePin[] => {
    const { stage, parts } = plan;
    // A vote's parts can't be pinned one by one.
    if (doesVote(plan)) return [{ stage, variant: servedName(plan), batch: null, replicas: null }];
    return parts.map(({ variant, batch }) => ({ stage, variant, batch, replicas: null }));
  });
}
