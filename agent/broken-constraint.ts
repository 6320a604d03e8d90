import type { PipelineBoard } from "../control/board.ts";
import { replicasOf } from "../domain/configuration.ts";
import { configurationOf, type Plan } from "../domain/plan.ts";
import { findCarried, isFeasible } from "../optimizer/evaluate.ts";
import { optimize } from "../optimizer/optimize.ts";
import type { Problem } from "../optimizer/problem.ts";
import { scopeOf } from "../optimizer/scope.ts";
import { problemOf, type Situation } from "./situation.ts";

/**
 * What of a board's plan breaks a constraint that a plan without any tuning keeps, by the exact model at the rate that the plan was made for; null:
 * nothing. What is asked for at a tick is held against the bounds, too.
 */
export function brokenConstraint(situation: Situation, board: PipelineBoard): string | null {
  const { plan } = board;
  if (!plan) return null;
  for (const { stage, replicasNow } of board.stages) {
    const bounds = situation.bounds[stage] ?? situation.pipeline.stages.find(({ name }) => name === stage)?.replicas;
    if (bounds && replicasNow > bounds.max) return `${stage}: more than ${bounds.max} replicas`;
  }
  const problem = problemOf(situation, plan.rateRps);
  const most = Math.min(problem.limits.cores ?? Infinity, problem.pipeline.objective.maxCores ?? Infinity);
  const best = (): boolean => optimize({ ...problem, runnerUp: false }).feasible;
  if (plan.cores > most + 1e-6 && best()) return `more than ${most} cores`;
  if (plan.accuracy < (problem.pipeline.objective.minAccuracy ?? 0) - 1e-9 && best())
    return "less accurate than it must be";
  for (const stage of plan.stages) {
    const bounds = situation.pipeline.stages.find(({ name }) => name === stage.stage)?.replicas;
    const replicas = replicasOf(stage);
    if (bounds && (replicas > bounds.max || replicas < bounds.min) && best())
      return `${stage.stage}: ${replicas} replicas`;
  }
  // Service times are corrected from tick to tick: a plan is held against those that it was made with.
  if (board.given !== null && !isKept(problem, plan) && best()) return "the latency SLO or the utilisation";
  return null;
}

/** Whether a plan keeps the utilisation and the SLO: one for what is expected with its planned variants as far as they carry the load, and with lighter ones beyond. */
function isKept(problem: Problem, plan: Plan): boolean {
  if (!plan.reasons.includes("expected") || !plan.mix) return isFeasible(problem, configurationOf(plan));
  const isCarried = findCarried(scopeOf(problem), configurationOf(plan)) !== null;
  return isCarried && (!plan.feasible || plan.mix.served >= problem.pipeline.slo.quantile);
}
