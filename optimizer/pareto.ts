import type { Plan } from "../domain/plan.ts";
import type { TimeLimit } from "./effort.ts";
import { cheapest } from "./explain.ts";
import { POLICIES } from "./policies.ts";
import type { Problem } from "./problem.ts";

/** Plans of which no other is both cheaper and more accurate. */
export interface ParetoFront {
  /** Cheapest first. */
  readonly plans: readonly Plan[];
  /** False: there are more, or one of them is not proven. */
  readonly isWhole: boolean;
}

const MOST_PLANS = 200;
/** Accuracies closer than this are the same. */
const STEP = 1e-7;

/**
 * Every plan of a problem between the cheapest and the most accurate one: the cheapest at all, then each time the cheapest that is
 * more accurate (the ε-constraint method), each proven unless `limit`, which each has, or the work for it ends it before.
 */
export function paretoFront(problem: Problem, limit: TimeLimit | null = null): ParetoFront {
  const plans: Plan[] = [];
  let minAccuracy = 0;
  let isProven = true;
  while (plans.length < MOST_PLANS && minAccuracy <= 1) {
    const plan = cheapest(problem, minAccuracy, limit);
    isProven &&= plan.optimal;
    // A policy with a soft SLO has no least accuracy: what it gives again is all that it has at one cost.
    if (!plan.feasible || plan.accuracy < minAccuracy - STEP / 2)
      return { plans, isWhole: isProven && (plan.feasible ? !hasOtherCosts(problem) : true) };
    // One that costs no more and is more accurate takes the place of the one before.
    if ((plans.at(-1)?.cores ?? -1) >= plan.cores - STEP) plans.pop();
    plans.push(plan);
    minAccuracy = plan.accuracy + STEP;
  }
  return { plans, isWhole: isProven && minAccuracy > 1 };
}

/** Variants that cost more could be more accurate where replicas are given. */
function hasOtherCosts({ pipeline: { objective } }: Problem): boolean {
  return objective.podShape === "variant" && POLICIES[objective.policy].variants === "free";
}
