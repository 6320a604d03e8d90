import type { PlanSummary } from "../../agent/plan-summary.ts";
import { bounded, MOST_TEXT } from "../../agent/quoted.ts";
import type { Replayed } from "../../agent/replay.ts";
import type { Verdict } from "../../agent/verdict.ts";
import { percent } from "../../explanation/number-text.ts";
import type { Round } from "./run-agent.ts";

export function formatRound({ round, because, spent, proposals }: Round): string {
  const used = `${spent.calls} calls, ${spent.tokens} tokens, ${spent.seconds.toFixed(1)} s`;
  const lines = proposals.flatMap(({ input, verdict, applied }) => [
    ...verdictLines(input.change, verdict, applied ? "in force" : "accepted"),
    `  because: ${bounded(input.why, MOST_TEXT)}`,
  ]);
  const nothing = proposals.length === 0 ? ["nothing was proposed"] : [];
  return [`round ${round}: ${because} (${used})`, ...nothing, ...lines].join("\n");
}

export function formatReplayed(replayed: readonly Replayed[]): string {
  if (replayed.length === 0) return "nothing was proposed";
  const lines = replayed.flatMap(({ call, input, verdict, isSame }) => {
    const { change } = (input ?? {}) as { readonly change?: unknown };
    return [
      ...verdictLines(change, verdict, "accepted"),
      `  call ${call}: ${isSame ? "the verdict is as it was recorded" : "THE VERDICT IS NOT AS IT WAS RECORDED"}`,
    ];
  });
  return lines.join("\n");
}

function verdictLines(
  change: unknown,
  { accepted, refused, plan, optimum, distance }: Verdict,
  word: string,
): string[] {
  return [
    `${accepted ? word : "refused"}: ${bounded(JSON.stringify(change) ?? "", MOST_TEXT)}`,
    ...(refused === null ? [] : [`  ${refused}`]),
    ...(plan ? [`  plan:    ${planText(plan)}`] : []),
    ...(optimum ? [`  optimum: ${planText(optimum)}`] : []),
    ...(distance === null ? [] : [`  distance from the optimum by the user's objective: ${distance}`]),
  ];
}

function planText({ stages, effectiveAccuracy, cores, latencyMs }: PlanSummary): string {
  const served = stages.map(({ stage, variant, batch, replicas }) => `${stage} ${variant} × ${batch} × ${replicas}`);
  return `${served.join(", ")}; ${percent(effectiveAccuracy)} right and in time, ${cores} cores, ${latencyMs.toFixed(0)} ms`;
}
