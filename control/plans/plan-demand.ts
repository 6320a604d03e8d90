import { replicasOf, servedNames } from "../../domain/configuration.ts";
import { LEAST_RPS } from "../../domain/load.ts";
import { configurationOf, type Plan, type Reason, type StagePlan } from "../../domain/plan.ts";
import { evaluate, isFeasible } from "../../optimizer/evaluate.ts";
import { mayServeLighter } from "../../optimizer/mix/rungs.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { POLICIES } from "../../optimizer/policies.ts";
import type { Problem } from "../../optimizer/problem.ts";
import type { ControlState, Demand, Recommendation } from "../control-state.ts";
import type { Rates } from "../demand.ts";
import { SETTINGS } from "../settings.ts";
import { takeInPlace, withRise } from "./rise.ts";

/** They say how a plan was found, not what it has. */
const OF_SEARCH: readonly Reason[] = ["optimal", "infeasible", "unproven"];

/** Plans for the demand as one rate; no plan: the one that there is stays. */
export function planDemand(
  state: ControlState,
  problem: Problem,
  { nowRps, risenRps }: Rates,
  nowMs: number,
): { readonly plan: Plan | null } & Pick<ControlState, "recommendations"> {
  const recommendations = withRecommendation(state.recommendations, problem, nowMs);
  const best = optimize({ ...problem, recommended: findMost(recommendations) });
  const stay = planSameVariants(problem, best);
  if (stay && !stay.feasible && isExcursion(problem, best, state.demands)) return { plan: null, recommendations };
  const ahead = withRise(problem, chooseHeld(best, stay), risenRps);
  const plan = hasFallen(problem, nowRps) ? planFallen(problem, ahead, Math.max(nowRps, LEAST_RPS)) : ahead;
  return { plan, recommendations };
}

/** The best plan or, where that gains too little, the best one with the variants that serve now. */
function chooseHeld(best: Plan, stay: Plan | null): Plan {
  const isWorthIt = !stay?.feasible || best.objective - stay.objective >= SETTINGS.leastGain;
  return isWorthIt ? best : takeInPlace(best, stay, "held_gain");
}

/** The best plan with the variants that serve now; null where that is the best one anyway, or an HPA decides. */
function planSameVariants(problem: Problem, best: Plan): Plan | null {
  const { current, pipeline, pins } = problem;
  if (!current || POLICIES[pipeline.objective.policy].replicas === "hpa") return null;
  const variants = Object.entries(servedNames(current));
  const goal = servedNames(configurationOf(best));
  if (variants.every(([stage, variant]) => goal[stage] === variant)) return null;
  const same = variants.map(([stage, variant]) => ({ stage, variant, batch: null, replicas: null }));
  return optimize({ ...problem, pins: [...pins, ...same] });
}

/**
 * Whether the demand is higher for a moment alone, which the current configuration lives through: it holds at what was asked for all the time, and
 * at what is asked for now it has capacity left and answers no fewer requests right and in time than lighter variants would. They would stay for
 * an interval, and take the heavier ones from replicas that go lighter by themselves where they must.
 */
function isExcursion(problem: Problem, best: Plan, demands: readonly Demand[]): boolean {
  const { current, pipeline } = problem;
  const rates = demands.map(({ rateRps }) => rateRps);
  if (!current || !isFeasible({ ...problem, rateRps: Math.min(...rates) }, current)) return false;
  const relaxed = {
    ...pipeline,
    slo: { ...pipeline.slo, quantile: 0.5 },
    objective: {
      ...pipeline.objective,
      utilisation: Math.max(pipeline.objective.utilisation, SETTINGS.overrunUtilisation),
    },
  };
  const now = evaluate({ ...problem, pipeline: relaxed, rateRps: rates.at(-1) ?? 0 }, current);
  return now.feasible && now.effectiveAccuracy >= best.effectiveAccuracy;
}

/** Whether the load is well below what is planned for, and replicas may serve lighter variants where it rises. An HPA looks at the load alone. */
function hasFallen({ pipeline, rateRps }: Problem, nowRps: number): boolean {
  const isFree = mayServeLighter(pipeline) && POLICIES[pipeline.objective.policy].replicas !== "hpa";
  return isFree && nowRps * SETTINGS.surgeFactor < rateRps;
}

/**
 * The plan for a load that has fallen: replicas stay for what may come, as they take time to start, and variants are for the load as it is, as
 * they change at once, and lighter ones serve what comes before that.
 */
function planFallen(problem: Problem, ahead: Plan, rateRps: number): Plan {
  const least = optimize({ ...problem, rateRps });
  const now = { ...problem, rateRps, bounds: requireReplicas(ahead, problem) };
  const best = optimize({ ...now, runnerUp: false });
  const chosen = chooseHeld(best, planSameVariants(now, best));
  if (!chosen.feasible) return ahead;
  const isRaised = chosen.stages.some((stage, at) => replicasOf(stage) > replicasOf(least.stages[at] as StagePlan));
  const plan = isRaised ? takeInPlace(least, chosen, "ahead") : chosen;
  const reasons = ahead.reasons.filter(reason => !OF_SEARCH.includes(reason));
  return { ...plan, reasons: [...new Set([...plan.reasons, ...reasons])] };
}

/** The bounds of a problem with the replicas of a plan as the least. */
function requireReplicas(plan: Plan, { bounds }: Problem): Problem["bounds"] {
  const planned = plan.stages.map(stage => {
    const { min, max } = bounds[stage.stage] ?? { min: 0, max: Number.POSITIVE_INFINITY };
    return [stage.stage, { min: Math.min(max, Math.max(min, replicasOf(stage))), max }] as const;
  });
  return Object.fromEntries(planned);
}

/** An HPA remembers its own recommendations of the stabilisation window, not what came of them. */
function withRecommendation(
  before: readonly Recommendation[],
  problem: Problem,
  nowMs: number,
): readonly Recommendation[] {
  if (POLICIES[problem.pipeline.objective.policy].replicas !== "hpa") return [];
  const { stages } = optimize(problem);
  const replicas = Object.fromEntries(stages.map(stage => [stage.stage, replicasOf(stage)]));
  const recent = before.filter(({ atMs }) => atMs <= nowMs && nowMs - atMs < SETTINGS.hpaStabilisationMs);
  return [...recent, { atMs: nowMs, replicas }];
}

function findMost(recommendations: readonly Recommendation[]): Readonly<Record<string, number>> {
  const most: Record<string, number> = {};
  for (const { replicas } of recommendations)
    for (const [stage, count] of Object.entries(replicas)) most[stage] = Math.max(most[stage] ?? 0, count);
  return most;
}
