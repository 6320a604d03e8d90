import { givenText } from "../../explanation/given-text.ts";
import { ladderText, percent } from "../../explanation/number-text.ts";
import { runnerUpText } from "../../explanation/plan-text.ts";
import type { Explanation } from "../../optimizer/explain.ts";
import { plainText } from "../plain-text.ts";
import type { Decision } from "./decision.ts";
import { formatExplanation, formatPlan } from "./format-plan.ts";

export function formatDecision(decision: Decision, explanation: Explanation | null): string {
  const { plan, replicas } = decision;
  const counts = Object.entries(replicas).map(
    ([stage, { now, goal, ready }]) => `${stage}: ${ready} ready, ${now} asked for, ${goal} the goal`,
  );
  const given = givenText(decision.given);
  return [
    ...heading(decision),
    formatPlan(plan),
    runnerUpText(plan, plan.runnerUp),
    ...(counts.length > 0 ? ["replicas:", ...counts.map(count => `- ${count}`)] : []),
    ...nowLines(decision),
    given.heading,
    ...given.lines.map(line => `- ${line}`),
    ...(explanation ? [formatExplanation(explanation)] : []),
  ].join("\n");
}

function nowLines({ now }: Decision): string[] {
  if (!now) return [];
  const served = now.servedAccuracy === null ? [] : [`accuracy of what is served: ${percent(now.servedAccuracy)}`];
  const rungs = now.stages.flatMap(({ ladder, ...shares }) =>
    ladder ? [`rungs of ${shares.stage}: ${ladderText({ ladder, ...shares })}`] : [],
  );
  const lines = [...served, ...rungs, ...now.problems];
  return lines.length > 0 ? ["now:", ...lines.map(line => `- ${plainText(line)}`)] : [];
}

function heading({ decisionId, at, pipeline, mode, loadRps }: Decision): string[] {
  if (decisionId === null) return [];
  const load = loadRps === null ? "no load data" : `${loadRps} rps`;
  return [`decision ${decisionId} of ${pipeline}, ${at}, mode ${mode}, load ${load}`, ""];
}
