import { type Tuning, UNTUNED } from "../control/tuning.ts";
import { configurationOf, type Plan } from "../domain/plan.ts";
import { evaluate } from "../optimizer/evaluate.ts";
import { optimize } from "../optimizer/optimize.ts";
import type { Change } from "./change.ts";
import type { AgentLimits } from "./limits.ts";
import { type PlanSummary, rounded, summaryOf } from "./plan-summary.ts";
import { plannedRps, problemOf, type Situation } from "./situation.ts";
import { tunedBy } from "./tuned-by.ts";

/** What the exact model says of a proposal. */
export interface Verdict {
  readonly accepted: boolean;
  /** Why it is refused; null: it is not. */
  readonly refused: string | null;
  /** What would be planned with it now; null: it did not come to that. */
  readonly plan: PlanSummary | null;
  /** The best plan by the user's own objective and settings; null: there is no load data. */
  readonly optimum: PlanSummary | null;
  /**
   * How far the plan is from the optimum: both by the user's objective, at the rate that is planned for without the agent. 0: it is as good. Null:
   * there is no plan.
   */
  readonly distance: number | null;
}

export interface Judged {
  readonly verdict: Verdict;
  /** The tuning with it; null: refused. */
  readonly tuning: Tuning | null;
}

/**
 * Checks a proposal with the model that plans are made with. Refused: it is none that the agent may make, or a plan with it would break a
 * constraint (latency SLO, least accuracy, most cores, cost, bounds of replicas, utilisation), or nothing can be checked. Pure and exact: the same
 * situation and change give the same verdict.
 */
export function judge(situation: Situation, change: Change, limits: AgentLimits): Judged {
  const { forecast } = situation;
  if (!forecast) return refusal("there is no usable load data, so nothing can be checked", null, null, null);
  const userRps = plannedRps(forecast, UNTUNED);
  const userProblem = problemOf(situation, userRps);
  const optimum = optimize({ ...userProblem, runnerUp: false });
  const tuned = tunedBy(situation, change, limits);
  if ("refused" in tuned) return refusal(tuned.refused, null, optimum, null);
  const { tuning } = tuned;
  const plan = planWith(situation, tuning, plannedRps(forecast, tuning));
  const byUser = evaluate(userProblem, configurationOf(plan));
  const distance = rounded(Math.max(0, optimum.objective - byUser.objective));
  if (!plan.feasible) return refusal(brokenText(plan), plan, optimum, distance);
  return {
    verdict: { accepted: true, refused: null, plan: summaryOf(plan), optimum: summaryOf(optimum), distance },
    tuning,
  };
}

/** The plan that a tuning gives at a rate, its pins taken whatever comes of them. */
function planWith(situation: Situation, { weights, pins }: Tuning, rateRps: number): Plan {
  const problem = problemOf(situation, rateRps);
  const { objective } = problem.pipeline;
  const pipeline = weights ? { ...problem.pipeline, objective: { ...objective, weights } } : problem.pipeline;
  return optimize({ ...problem, pipeline, pins: [...problem.pins, ...pins], runnerUp: false });
}

const BROKEN: Readonly<Record<Plan["binding"], string>> = {
  slo: "it would miss the latency SLO",
  cores: "it would take more cores than there may be",
  cost: "it would cost more than it may",
  minAccuracy: "it would be less accurate than it must be",
  maxReplicas: "its replicas could not carry the load, or would be more than a stage may have",
  utilisation: "its replicas could not carry the load within the utilisation that they may have",
  none: "it breaks a rule of the pipeline",
};

function brokenText({ binding, rateRps }: Plan): string {
  return `${BROKEN[binding]}, at ${rounded(rateRps)} requests a second`;
}

function refusal(refused: string, plan: Plan | null, optimum: Plan | null, distance: number | null): Judged {
  const verdict = {
    accepted: false,
    refused,
    plan: plan && summaryOf(plan),
    optimum: optimum && summaryOf(optimum),
    distance,
  };
  return { verdict, tuning: null };
}
