import type { Plan } from "../../domain/plan.ts";
import { number, percent } from "../../explanation/number-text.ts";
import { outcomeText } from "../../explanation/plan-text.ts";
import { atMoreText, changeText, currentText, priceText } from "../../explanation/price-text.ts";
import { BINDING_TEXT, REASON_TEXT } from "../../explanation/reason-text.ts";
import type { Explanation } from "../../optimizer/explain.ts";
import { formatTable } from "../format-table.ts";

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
  return [
    formatTable(header, rows, [0, 1]),
    "",
    ...outcomeText(plan),
    ...plan.reasons.map(reason => `- ${REASON_TEXT[reason]}`),
    `held back by: ${BINDING_TEXT[plan.binding]}`,
  ].join("\n");
}

export function formatExplanation(explanation: Explanation): string {
  const current = currentText(explanation);
  const atMore = atMoreText(explanation.atMore);
  return [
    "what a little more or less would cost:",
    ...explanation.prices.map(price => `- ${priceText(price)}`),
    ...(atMore.length === 0 ? [] : ["what the same replicas serve of more:", ...atMore.map(line => `- ${line}`)]),
    ...(current === null ? [] : [current, ...explanation.changes.map(change => `- ${changeText(change)}`)]),
  ].join("\n");
}
