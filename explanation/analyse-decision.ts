import { mainPart } from "../domain/configuration.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { StagePlan } from "../domain/plan.ts";
import { type Explanation, explain } from "../optimizer/explain.ts";
import { heaviestPlan } from "../optimizer/heaviest-plan.ts";
import { findMixedFront, type MixedPlan } from "../optimizer/mix/mixed-front.ts";
import { paretoFront } from "../optimizer/pareto.ts";
import { type MadePlan, problemOfDecision } from "./explain-decision.ts";

/** What a decision is held against, computed when somebody asks. */
export interface Analysis {
  readonly explanation: Explanation;
  /** Every plan that is worth having at the decision's load, cheapest first. */
  readonly front: readonly FrontPoint[];
  /** Mixes of variants that are worth having beside them. */
  readonly mixes: readonly MixedPlan[];
  /** False: there are more, or not all are proven. */
  readonly isWhole: boolean;
  readonly heaviest: HeaviestPlan;
}

export interface FrontPoint {
  readonly cores: number;
  readonly accuracy: number;
  readonly stages: readonly Pick<StagePlan, "stage" | "parts">[];
}

/** The least that the same load would take with the heaviest variant of every stage, without any limit on cores and replicas. */
export interface HeaviestPlan {
  /** False: no number of replicas keeps the SLO. */
  readonly feasible: boolean;
  readonly variants: readonly string[];
  readonly cores: number;
  readonly costPerHour: number | null;
  readonly accuracy: number;
}

/** Takes several optimisations: milliseconds for a few stages, up to seconds for many. */
export function analyseDecision(pipeline: Pipeline, decision: MadePlan): Analysis {
  const problem = problemOfDecision(pipeline, decision);
  const { plans, isWhole } = paretoFront(problem);
  const { feasible, stages, cores, costPerHour, accuracy } = heaviestPlan(problem);
  const explanation = explain(problem, decision.plan, null, decision.given?.likely);
  const variants = stages.map(stage => mainPart(stage)?.variant ?? "");
  return {
    // Without a mix its replicas serve the planned variants alone, whatever the pipeline file says.
    explanation: decision.plan.mix ? explanation : { ...explanation, atMore: [] },
    front: plans.map(plan => ({
      cores: plan.cores,
      accuracy: plan.accuracy,
      stages: plan.stages.map(({ stage, parts }) => ({ stage, parts })),
    })),
    mixes: decision.plan.mix ? findMixedFront(problem, plans) : [],
    isWhole,
    heaviest: { feasible, variants, cores, costPerHour, accuracy },
  };
}
