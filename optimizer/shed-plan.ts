import { MAX_RATE_RPS } from "../domain/load.ts";
import type { Plan, Reason } from "../domain/plan.ts";
import type { Problem } from "./problem.ts";

const SHRINKS = 12;

/**
 * What can be planned for the largest share of every load, where all of it is too much; null: nothing, even for none.
 *
 * @param isOver a share that is found will do.
 */
export function mostServed<T>(
  planFor: (share: number) => T | null,
  isOver: () => boolean,
): { readonly plan: T; readonly share: number } | null {
  let plan = planFor(0);
  let [low, high] = [0, 1];
  for (let i = 0; i < SHRINKS && plan && !(low > 0 && isOver()); i++) {
    const middle = (low + high) / 2;
    const shrunk = planFor(middle);
    if (shrunk) {
      plan = shrunk;
      low = middle;
    } else high = middle;
  }
  return plan && { plan, share: low };
}

/**
 * A plan for a share of the problem's load, as one for all of it: the rest is shed, and counts as wrong.
 *
 * @param limit what forbids more; null: what the plan says.
 */
export function shedPlan(
  problem: Problem | undefined,
  plan: Plan,
  share: number,
  limit: "cores" | "maxReplicas" | null,
): Plan {
  const pipeline = problem?.pipeline;
  const rateRps = Math.min(MAX_RATE_RPS, problem?.rateRps ?? 0);
  if (!(rateRps > 0)) return plan;
  const effectiveAccuracy = plan.effectiveAccuracy * share;
  const lost = (pipeline?.objective.weights.accuracy ?? 0) * (plan.effectiveAccuracy - effectiveAccuracy);
  const reasons: Reason[] = ["infeasible", ...(limit === "cores" ? (["capped_cores"] as const) : []), ...plan.reasons];
  const isKept = (reason: Reason): boolean => reason !== "optimal";
  return {
    ...plan,
    feasible: false,
    binding: limit ?? plan.binding,
    reasons: [...new Set(reasons)].filter(isKept),
    rateRps,
    shedRps: rateRps - (plan.rateRps - plan.shedRps),
    effectiveAccuracy,
    objective: plan.objective - lost,
  };
}
