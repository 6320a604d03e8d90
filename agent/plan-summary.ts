import { mainPart, replicasOf } from "../domain/configuration.ts";
import type { Plan } from "../domain/plan.ts";
import { bounded, MOST_NAME } from "./quoted.ts";

/** A plan as a model is shown it. */
export interface PlanSummary
  extends Pick<
    Plan,
    "feasible" | "binding" | "rateRps" | "accuracy" | "effectiveAccuracy" | "cores" | "latencyMs" | "objective"
  > {
  readonly stages: readonly {
    readonly stage: string;
    readonly variant: string;
    readonly batch: number;
    readonly replicas: number;
  }[];
}

export function summaryOf(plan: Plan): PlanSummary {
  const { feasible, binding, rateRps, accuracy, effectiveAccuracy, cores, latencyMs, objective } = plan;
  return {
    feasible,
    binding,
    rateRps: rounded(rateRps),
    accuracy: rounded(accuracy),
    effectiveAccuracy: rounded(effectiveAccuracy),
    cores: rounded(cores),
    latencyMs: rounded(latencyMs),
    objective: rounded(objective),
    stages: plan.stages.map(stage => ({
      stage: bounded(stage.stage, MOST_NAME),
      variant: bounded(mainPart(stage)?.variant ?? "", MOST_NAME),
      batch: mainPart(stage)?.batch ?? 0,
      replicas: replicasOf(stage),
    })),
  };
}

/** Six significant digits. */
export function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : value;
}
