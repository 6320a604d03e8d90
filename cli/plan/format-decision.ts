import type { Pipeline } from "../../domain/pipeline.ts";
import { configurationOf } from "../../domain/plan.ts";
import { type Explanation, explain } from "../../optimizer/explain.ts";
import { givenOf, problemGiven } from "../../optimizer/given.ts";
import type { Decision } from "./decision.ts";
import { formatGiven } from "./format-given.ts";
import { formatExplanation, formatPlan, formatRunnerUp } from "./format-plan.ts";

/** What a little more or less would have cost, and what changed against the decision before. */
export function explainDecision(pipeline: Pipeline, decision: Decision): Explanation {
  const { plan, before, corrections, given } = decision;
  const rest = {
    rateRps: plan.rateRps,
    current: before ? configurationOf(before) : (given?.current ?? null),
    corrections,
  };
  return explain(problemGiven(pipeline, given ?? givenOf({ pipeline, ...NOTHING, ...rest }), rest), plan);
}

const NOTHING = { excluded: {}, pins: [], limits: { cores: null, machineCores: null }, bounds: {} };

export function formatDecision(decision: Decision, explanation: Explanation | null): string {
  const { plan, replicas } = decision;
  const counts = Object.entries(replicas).map(
    ([stage, { now, goal, ready }]) => `${stage}: ${ready} ready, ${now} asked for, ${goal} the goal`,
  );
  return [
    ...heading(decision),
    formatPlan(plan),
    formatRunnerUp(plan, plan.runnerUp),
    ...(counts.length > 0 ? ["replicas:", ...counts.map(count => `- ${count}`)] : []),
    formatGiven(decision.given),
    ...(explanation ? [formatExplanation(explanation)] : []),
  ].join("\n");
}

function heading({ decisionId, at, pipeline, mode, loadRps }: Decision): string[] {
  if (decisionId === null) return [];
  const load = loadRps === null ? "no load data" : `${loadRps} rps`;
  return [`decision ${decisionId} of ${pipeline}, ${at}, mode ${mode}, load ${load}`, ""];
}
