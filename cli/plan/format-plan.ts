import type { Part } from "../../domain/configuration.ts";
import type { Plan, RunnerUp, StagePlan } from "../../domain/plan.ts";
import type { Explanation, Price, StageChange } from "../../optimizer/explain.ts";
import { formatTable, percent } from "../format-table.ts";
import { BINDING_TEXT, REASON_TEXT } from "./reason-text.ts";

/** A plan for a terminal. */
export function formatPlan(plan: Plan): string {
  const rows = plan.stages.flatMap(stage =>
    stage.parts.map((part, i) => [
      i === 0 ? stage.stage : "",
      part.variant,
      String(part.batch),
      String(part.replicas),
      stage.parts.length > 1 ? percent(part.share) : "",
      i === 0 ? number(stage.cores) : "",
      i === 0 ? number(stage.latencyMs) : "",
    ]),
  );
  const header = ["stage", "variant", "batch", "replicas", "share", "cores", "latency ms"];
  const cost = plan.costPerHour === null ? "" : `, ${number(plan.costPerHour)} an hour`;
  const proof = plan.optimal ? "proven best" : `at most ${number(plan.gap)} below the best`;
  return [
    formatTable(header, rows, [0, 1]),
    "",
    `${plan.feasible ? "feasible" : "NOT FEASIBLE"} at ${number(plan.rateRps)} rps${plan.shedRps > 0 ? `, ${number(plan.shedRps)} rps are shed` : ""}`,
    `accuracy ${percent(plan.accuracy)}, right and in time ${percent(plan.effectiveAccuracy)}, ${number(plan.latencyMs)} ms, ${number(plan.cores)} cores${cost}`,
    `objective ${plan.objective.toPrecision(6)}, ${proof}`,
    ...plan.reasons.map(reason => `- ${REASON_TEXT[reason]}`),
    `held back by: ${BINDING_TEXT[plan.binding]}`,
  ].join("\n");
}

/** What came second, and by how much. */
export function formatRunnerUp(
  plan: Pick<Plan, "objective" | "accuracy" | "cores">,
  runnerUp: RunnerUp | null,
): string {
  if (runnerUp === null) return "runner-up: none";
  const by = plan.objective - runnerUp.objective;
  return `runner-up: ${shortly(runnerUp.stages)}: accuracy ${points(runnerUp.accuracy - plan.accuracy)}, cores ${signed(runnerUp.cores - plan.cores)}, objective lower by ${number(by)}`;
}

export function formatExplanation(explanation: Explanation): string {
  const { prices, changes, current } = explanation;
  const lines = prices.map(price => `- ${priceText(price)}`);
  if (current) {
    const state = current.feasible
      ? `would still hold, with an objective of ${current.objective.toPrecision(6)}`
      : `no longer holds: it breaks ${BINDING_TEXT[current.binding]}`;
    lines.push(`what is served now ${changes.length === 0 ? "stays" : state}`, ...changes.map(changeText));
  }
  return ["what a little more or less would cost:", ...lines].join("\n");
}

function priceText(price: Price): string {
  const subject = {
    accuracy: "1 point more of accuracy",
    slo: `${number(-price.step)} ms less of the SLO, as accurate`,
    load: `${number(price.step)} rps more`,
    cores: `${number(-price.step)} cores less`,
  }[price.of];
  if (!price.feasible) return `${subject}: not to be had`;
  const effects = [
    ...(price.cores === 0 ? [] : [`cores ${signed(price.cores)}`]),
    ...(price.replicas === 0 ? [] : [`replicas ${signed(price.replicas)}`]),
    ...(Math.abs(price.accuracy) < 1e-6 ? [] : [`accuracy ${points(price.accuracy)}`]),
  ];
  return `${subject}: ${effects.length === 0 ? "nothing" : effects.join(", ")}`;
}

function changeText({ stage, from, to }: StageChange): string {
  return `- ${stage}: ${from ? partText(from) : "nothing"} → ${to ? partText(to) : "nothing"}`;
}

function shortly(stages: readonly StagePlan[]): string {
  return stages.map(({ parts }) => parts.map(partText).join(" + ")).join(" → ");
}

function partText({ variant, batch, replicas }: Part): string {
  return `${variant} × ${replicas}${batch > 1 ? `, batch ${batch}` : ""}`;
}

/** With four digits at most, without a trailing zero. */
export function number(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function signed(value: number): string {
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${number(Math.abs(value))}`;
}

function points(share: number): string {
  return `${signed(100 * share)} points`;
}
