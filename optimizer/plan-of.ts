import type { Binding, Plan, Reason } from "../domain/plan.ts";
import { isAccuracyKnown } from "./accuracy.ts";
import type { Constrained, Prediction } from "./predict.ts";
import type { Scope } from "./scope.ts";
import { SLACK } from "./totals.ts";

/** What the search or the check of a configuration adds to a Prediction. */
export interface Verdict extends Pick<Plan, "feasible" | "binding" | "optimal" | "gap" | "runnerUp"> {
  readonly servedRps: number;
  /** The reason that comes first; null: none. */
  readonly reason: Reason | null;
}

export function planOf(scope: Scope, prediction: Prediction, verdict: Verdict): Plan {
  const { servedRps, feasible, binding, optimal, gap, runnerUp } = verdict;
  const effectiveAccuracy = effectiveAccuracyOf(scope, prediction, servedRps);
  return {
    feasible,
    binding,
    optimal,
    gap,
    runnerUp,
    rateRps: scope.rateRps,
    stages: prediction.stages,
    accuracy: prediction.accuracy,
    isAccuracyKnown: isAccuracyKnown(
      scope.problem.pipeline,
      prediction.stages.map(({ parts }) => parts.map(({ variant }) => variant)),
    ),
    effectiveAccuracy,
    cores: prediction.cores,
    costPerHour: scope.stages.some(({ stage }) => stage.costPerHour !== null) ? prediction.costPerHour : null,
    latencyMs: prediction.latencyMs,
    objective: objectiveOf(scope, prediction, effectiveAccuracy),
    shedRps: Math.max(0, scope.rateRps - servedRps),
    reasons: reasonsOf(scope, verdict),
  };
}

/**
 * accuracy · P[latency ≤ SLO] · share of the load that is served. 0 when a stage can't be predicted: nothing is known to be in
 * time.
 */
export function effectiveAccuracyOf(scope: Scope, prediction: Prediction, servedRps: number): number {
  if (!prediction.isKnown) return 0;
  const served = scope.rateRps > 0 ? Math.min(1, servedRps / scope.rateRps) : 1;
  return prediction.accuracy * prediction.within * served;
}

/** accuracy weight · effective accuracy − cost weight · cores − batch weight · Σ batch − switch weight · changed stages. */
export function objectiveOf(scope: Scope, prediction: Prediction, effectiveAccuracy: number): number {
  const { weights } = scope.problem.pipeline.objective;
  return (
    weights.accuracy * effectiveAccuracy -
    weights.cost * prediction.cores -
    weights.batch * prediction.batches -
    weights.switch * prediction.switches
  );
}

/** The first constraint that a prediction breaks, its rate aside; `none`: none. */
export function brokenBy(scope: Scope, prediction: Constrained): Binding {
  const { slo, objective } = scope.problem.pipeline;
  if (scope.policy.slo === "hard" && prediction.within < slo.quantile) return "slo";
  if (prediction.cores > scope.maxCores + SLACK) return "cores";
  if (prediction.costPerHour > scope.maxCostPerHour + SLACK) return "cost";
  if (prediction.accuracy < (objective.minAccuracy ?? 0) - SLACK) return "minAccuracy";
  return "none";
}

function reasonsOf(scope: Scope, { reason, binding }: Verdict): Reason[] {
  const reasons: Reason[] = reason === null ? [] : [reason];
  if (binding === "maxReplicas") reasons.push("capped_max_replicas");
  const isMachine = scope.problem.limits.machineCores !== null && binding === "utilisation";
  if (binding === "cores" || isMachine) reasons.push("capped_cores");
  const names = scope.stages.map(({ stage }) => stage.name);
  const isPinned = scope.problem.pins.some(
    pin => names.includes(pin.stage) && (pin.variant !== null || pin.batch !== null || pin.replicas !== null),
  );
  if (isPinned) reasons.push("pinned");
  return reasons;
}
