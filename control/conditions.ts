import { isStuck } from "./actuation.ts";
import type { Condition, ConditionType } from "./board.ts";
import type { ControlState } from "./control-state.ts";
import type { TickInput } from "./tick-input.ts";

/** The conditions of a pipeline now; `sinceMs` is when the status last changed. */
export function conditionsOf(state: ControlState, input: TickInput, nowMs: number): readonly Condition[] {
  const stuck = input.pipeline.stages
    .filter(stage => isStuck(state.actuations[stage.name], nowMs))
    .map(stage => stage.name);
  const { plan } = state;
  const found: Omit<Condition, "sinceMs">[] = [
    input.forecast
      ? condition("MetricsAvailable", true, "Fresh", "load data is fresh")
      : condition(
          "MetricsAvailable",
          false,
          "NoData",
          `no usable load data from source \`${input.pipeline.loadSource}\`: the last plan stays; check that the source answers`,
        ),
    plan
      ? condition("Ready", true, "Planned", `decision ${state.decisionId}`)
      : condition("Ready", false, "NoPlanYet", "there is no plan yet: it is made from the first usable load data"),
    plan && !plan.feasible
      ? condition(
          "PlanFeasible",
          false,
          "Infeasible",
          `no configuration meets every constraint at ${plan.rateRps.toFixed(1)} rps: ${plan.shedRps.toFixed(1)} rps are shed; binding: ${plan.binding}`,
        )
      : condition("PlanFeasible", true, "Feasible", "every constraint is met"),
    stuck.length > 0
      ? condition(
          "ActuationStuck",
          true,
          "ReplicasNotReady",
          `replicas of ${stuck.join(", ")} do not become ready: planned with those that are; look for Pending or crashing pods`,
        )
      : condition("ActuationStuck", false, "Following", "replicas follow"),
  ];
  return found.map(next => {
    const before = state.conditions.find(other => other.type === next.type);
    return { ...next, sinceMs: before && before.status === next.status ? before.sinceMs : nowMs };
  });
}

function condition(type: ConditionType, status: boolean, reason: string, message: string): Omit<Condition, "sinceMs"> {
  return { type, status, reason, message };
}
