import type { Configuration } from "../domain/configuration.ts";
import type { Likely } from "../domain/load.ts";
import { type Pipeline, withFanOutTimes } from "../domain/pipeline.ts";
import type { Objective } from "../domain/pipeline-schema.ts";
import type { PolicyName } from "../domain/policy-name.ts";
import type { Problem } from "./problem.ts";

/** What serves in the place of a plan for a short time, as accuracy has drifted. */
export interface GivenTrial {
  /** By stage. */
  readonly variants: Readonly<Record<string, string>>;
  readonly untilMs: number;
  /** Share of right answers that the plan is taken to give, and that this is taken to give and may give at best. */
  readonly plannedAccuracy: number;
  readonly accuracy: number;
  readonly mostAccuracy: number;
}

/** What a plan is made with beside the pipeline file, the load, the corrections and what is served: kept with it, so that it can be explained. */
export interface Given extends Pick<Problem, "pins" | "excluded" | "limits" | "bounds" | "scaling" | "combine"> {
  /** What was served; missing: not recorded, or nothing. */
  readonly current?: Configuration;
  readonly policy: PolicyName;
  readonly minAccuracy: number | null;
  /** Accuracies of combinations that it was made with; missing: those that were measured. */
  readonly accuracies?: Pipeline["accuracy"]["combinations"];
  /** That it was made with; missing: the pipeline file's. */
  readonly weights?: Objective["weights"];
  /** Fan-outs that it was made with over those of the file and its measurements, by stage; missing: all are 1. */
  readonly rowFactors?: Readonly<Record<string, number>>;
  /** Missing: nothing serves in the place of the plan. */
  readonly trial?: GivenTrial;
  /** The rate that it has replicas for, beyond the one that it was made for; missing: it has none for more. */
  readonly risenRps?: number;
  /** The rates that may come, as they were known when it was made; missing: they don't matter to it, or were not recorded. */
  readonly likely?: Likely;
  /** Its rate is so many times the load, as fewer requests were answered in time than plans said; missing: once. */
  readonly attainmentFactor?: number;
  /** Those of `excluded`, by stage, that pods have no model file of; missing: none. */
  readonly notInstalled?: Problem["excluded"];
}

export function givenOf({ pipeline, pins, excluded, limits, bounds, scaling, combine }: Problem): Given {
  const { policy, minAccuracy = null } = pipeline.objective;
  return {
    policy,
    minAccuracy,
    pins,
    excluded,
    limits,
    bounds,
    ...(scaling && { scaling }),
    ...(combine && { combine }),
  };
}

/** The problem that a plan was an answer to. */
export function problemGiven(
  pipeline: Pipeline,
  {
    policy,
    minAccuracy,
    accuracies,
    weights,
    rowFactors = {},
    risenRps: _risen,
    likely: _likely,
    attainmentFactor: _attainment,
    trial: _trial,
    notInstalled: _missing,
    ...given
  }: Given,
  rest: Pick<Problem, "rateRps" | "current" | "corrections">,
): Problem {
  const { minAccuracy: _, ...rules } = pipeline.objective;
  const objective = weights ? { ...rules, weights } : rules;
  const least = minAccuracy === null ? {} : { minAccuracy };
  const accuracy = accuracies ? { ...pipeline.accuracy, combinations: accuracies } : pipeline.accuracy;
  const stages = pipeline.stages.map(stage => withFanOutTimes(stage, rowFactors[stage.name] ?? 1));
  return {
    pipeline: { ...pipeline, stages, accuracy, objective: { ...objective, policy, ...least } },
    ...given,
    ...rest,
  };
}
