import type { Part } from "../domain/configuration.ts";
import type { Plan, PlannedMix, RunnerUp, StagePlan } from "../domain/plan.ts";
import { number, percent, points, signed } from "./number-text.ts";

/** A share of requests that is less is not told. */
const LEAST_TOLD = 0.0005;

/** As `v4-640 × 2, batch 4`. */
export function partText({ variant, batch, replicas }: Part): string {
  return `${variant} × ${replicas}${batch > 1 ? `, batch ${batch}` : ""}`;
}

/** What serves a stage: as `light × 1 + heavy × 2`, or with shares where rows are split. */
export function partsText(parts: readonly Part[]): string {
  if (parts.length === 0) return "nothing";
  const isSplit = parts.some(({ share }) => share < 1);
  return parts.map(part => (isSplit ? `${percent(part.share)} by ${partText(part)}` : partText(part))).join(" + ");
}

/** All stages in one line. */
export function stagesText(stages: readonly Pick<StagePlan, "parts">[]): string {
  return stages.map(({ parts }) => partsText(parts)).join(" → ");
}

/** The accuracy of a plan; of what was not measured there is none to show. */
export function accuracyText({ accuracy, isAccuracyKnown }: Pick<Plan, "accuracy" | "isAccuracyKnown">): string {
  return isAccuracyKnown ? percent(accuracy) : "not measured";
}

/** The share that is in time, and right where that is known. */
export function effectiveText({
  effectiveAccuracy,
  isAccuracyKnown,
}: Pick<Plan, "effectiveAccuracy" | "isAccuracyKnown">): string {
  return `${isAccuracyKnown ? "right and in time" : "in time"} ${percent(effectiveAccuracy)}`;
}

/** As `62 % by large, 38 % by medium → all by small`. */
export function sharesText({ stages }: Pick<PlannedMix, "stages">): string {
  const texts = stages.map(({ shares }) => {
    const told = shares.filter(({ share }) => share >= LEAST_TOLD);
    const [first, ...others] = told;
    if (!first) return "nothing";
    if (others.length === 0) return `all by ${first.variant}`;
    return told.map(({ variant, share }) => `${percent(share)} by ${variant}`).join(", ");
  });
  return texts.join(" → ");
}

/** Shares of the variants, the accuracy where it is known, and the requests that none has time for. */
export function mixText(mix: PlannedMix): string {
  const missed = 1 - mix.served >= LEAST_TOLD ? `, ${percent(1 - mix.served)} not in time` : "";
  const accuracy = mix.isAccuracyKnown ? `: accuracy ${percent(mix.accuracy)}` : "";
  return `${sharesText(mix)}${accuracy}${missed}`;
}

/** The mix that is expected over the rates that may come; nothing where that is not known. */
function mixLines({ mix }: Plan): readonly string[] {
  return mix && !mix.isAsPlanned ? [`expected over the load that may come: ${mixText(mix)}`] : [];
}

/** Whether it holds, and what it is predicted to give. */
export function outcomeText(plan: Plan): readonly string[] {
  const cost = plan.costPerHour === null ? "" : `, ${number(plan.costPerHour)} an hour`;
  // The search over the rates that may come proves nothing.
  const isExpected = plan.reasons.includes("expected");
  const proof = plan.optimal ? ", proven best" : isExpected ? "" : `, at most ${number(plan.gap)} below the best`;
  return [
    `${plan.feasible ? "feasible" : "NOT FEASIBLE"} ${isExpected ? "for up to" : "at"} ${number(plan.rateRps)} rps${plan.shedRps > 0 ? `, ${number(plan.shedRps)} rps are shed` : ""}`,
    `accuracy ${accuracyText(plan)}, ${effectiveText(plan)}, ${number(plan.latencyMs)} ms, ${number(plan.cores)} cores${cost}`,
    `objective ${plan.objective.toPrecision(6)}${proof}`,
    ...mixLines(plan),
  ];
}

/** What came second, and by how much. */
export function runnerUpText(
  plan: Pick<Plan, "objective" | "accuracy" | "isAccuracyKnown" | "cores">,
  runnerUp: RunnerUp | null,
): string {
  if (runnerUp === null) return "runner-up: none";
  const by = plan.objective - runnerUp.objective;
  // The least bad of plans that break a limit is chosen by what it serves right and in time.
  const difference = by === 0 ? "the same" : by < 0 ? `higher by ${number(-by)}` : `lower by ${number(by)}`;
  const accuracy = plan.isAccuracyKnown ? `accuracy ${points(runnerUp.accuracy - plan.accuracy)}, ` : "";
  return `runner-up: ${stagesText(runnerUp.stages)}: ${accuracy}cores ${signed(runnerUp.cores - plan.cores)}, objective ${difference}`;
}
