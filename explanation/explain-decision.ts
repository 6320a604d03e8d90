import type { Pipeline } from "../domain/pipeline.ts";
import { configurationOf, type Plan } from "../domain/plan.ts";
import { type Explanation, explain } from "../optimizer/explain.ts";
import { type Given, givenOf, problemGiven } from "../optimizer/given.ts";
import type { Problem } from "../optimizer/problem.ts";

/** A plan, and what is known of how it came about. */
export interface MadePlan {
  readonly plan: Plan;
  readonly corrections: Readonly<Record<string, number>>;
  /** Null: not known. */
  readonly given: Given | null;
  /** The decision before it; null: there is none. */
  readonly before: Plan | null;
}

const NOTHING = { excluded: {}, pins: [], limits: { cores: null, machineCores: null }, bounds: {} };

/** The problem that a decision was the answer to, as far as it is known. */
export function problemOfDecision(pipeline: Pipeline, { plan, before, corrections, given }: MadePlan): Problem {
  const rest = {
    rateRps: plan.rateRps,
    current: before ? configurationOf(before) : (given?.current ?? null),
    corrections,
  };
  return problemGiven(pipeline, given ?? givenOf({ pipeline, ...NOTHING, ...rest }), rest);
}

/** What a little more or less would have cost, and what changed against the decision before. */
export function explainDecision(pipeline: Pipeline, decision: MadePlan): Explanation {
  return explain(problemOfDecision(pipeline, decision), decision.plan, null, decision.given?.likely);
}
