import { isBelow } from "../domain/load-report.ts";
import { unfitVariants } from "../domain/memory-fit.ts";
import type { Plan } from "../domain/plan.ts";
import type { EstimatedAccuracy, LeftCombination } from "./accuracy-drift.ts";
import { stuckStages } from "./actuation.ts";
import type { Condition, ConditionType } from "./board.ts";
import type { ControlState } from "./control-state.ts";
import { findQuarantined } from "./excluded.ts";
import { explainMissed } from "./feedback/attainment.ts";
import type { LearntFanOut } from "./rows/learn-rows.ts";
import { isServedOther, SERVED_CAUSES, type Served } from "./served.ts";
import { SETTINGS } from "./settings.ts";
import type { TickInput } from "./tick-input.ts";

/** As an InferencePipeline's status takes it; the causes of many stages are long together. */
const MOST_MESSAGE = 4000;

type Finding = Omit<Condition, "sinceMs">;

/** Findings of a tick that become conditions. */
interface Findings {
  readonly estimated: EstimatedAccuracy | null;
  readonly left: readonly LeftCombination[];
  readonly served: Served | null;
  readonly fanOuts: Readonly<Record<string, LearntFanOut>>;
}

/** The conditions of a pipeline now; `sinceMs` is when the status last changed. */
export function conditionsOf(
  state: ControlState,
  input: TickInput,
  { estimated, left, served, fanOuts }: Findings,
  nowMs: number,
): readonly Condition[] {
  const stuck = stuckStages(input.pipeline, state.actuations, nowMs);
  const { plan, conditions } = state;
  const noData = `no usable load data from source \`${input.pipeline.loadSource}\`: the last plan stays; check that the source answers`;
  const found = [
    input.forecast
      ? condition("MetricsAvailable", true, "Fresh", "load data is fresh")
      : condition("MetricsAvailable", false, "NoData", noData),
    plan
      ? condition("Ready", true, "Planned", `decision ${state.decisionId}`)
      : condition("Ready", false, "NoPlanYet", "there is no plan yet: it is made from the first usable load data"),
    plan && !plan.feasible
      ? condition("PlanFeasible", false, "Infeasible", describeInfeasible(plan))
      : condition("PlanFeasible", true, "Feasible", "every constraint is met"),
    stuck.length > 0
      ? condition("ActuationStuck", true, "ReplicasNotReady", describeStuck(stuck, input))
      : condition("ActuationStuck", false, "Following", "replicas follow"),
    checkUsable(state, input, nowMs),
    exactness(input),
    drift(estimated, left),
    fanOutDrift(input.pipeline, fanOuts),
    memoryFit(input),
    compareWithPlan(served, state, input, nowMs),
    compareWithSlo(state, input),
  ];
  const after = found.filter(next => next !== null).map(next => conditionAfter(conditions, next, nowMs));
  const isSame = after.length === conditions.length && after.every((one, i) => one === conditions[i]);
  return isSame ? conditions : after;
}

function describeInfeasible({ rateRps, shedRps, binding }: Plan): string {
  const shed = shedRps < 0.05 ? "" : `: ${shedRps.toFixed(1)} rps are shed`;
  const bound = binding === "none" ? "" : `; binding: ${binding}`;
  return `no configuration meets every constraint at ${rateRps.toFixed(1)} rps${shed}${bound}`;
}

/** Whether every variant may be served, and which pins are not followed because theirs may not. */
function checkUsable(state: ControlState, { pins }: TickInput, nowMs: number): Finding {
  // A reason of the plan names variants that were never installed, and `VariantsFit` those without enough memory.
  const leftOut = findQuarantined(state.quarantines, nowMs);
  const messages = leftOut.map(({ stage, variant, code, message, untilMs }) => {
    const seconds = Math.ceil((untilMs - nowMs) / 10_000) * 10;
    const isPinned = pins.some(pin => pin.stage === stage && pin.variant === variant);
    const pin = isPinned ? "; its pin is not followed meanwhile" : "";
    return `${stage}/${variant} is left out for ${seconds} s: ${code}: ${message}${pin}`;
  });
  if (messages.length === 0) return condition("VariantsUsable", true, "Usable", "every variant can be loaded");
  return condition("VariantsUsable", false, "LoadFailed", messages.join("; "));
}

function describeStuck(stuck: readonly string[], { unready = {} }: TickInput): string {
  const known = stuck.flatMap(stage => (unready[stage] === undefined ? [] : [`${stage}: ${unready[stage]}`]));
  const why = known.length > 0 ? known.join("; ") : "look for Pending or crashing pods";
  return `replicas of ${stuck.join(", ")} do not become ready: planned with those that are; ${why}`;
}

/** The one before where nothing changed, as in nearly all ticks: what is kept from tick to tick is copied to the old generation. */
function conditionAfter(conditions: readonly Condition[], next: Finding, nowMs: number): Condition {
  const before = conditions.find(other => other.type === next.type);
  if (before?.status !== next.status) return { sinceMs: nowMs, ...next };
  const isSame = before.reason === next.reason && before.message === next.message;
  return isSame ? before : { sinceMs: before.sinceMs, ...next };
}

/** Whether accuracy is what was measured, of what serves and of what was left for it; null where it is not estimated. */
function drift(estimated: EstimatedAccuracy | null, left: readonly LeftCombination[]): Finding | null {
  if (!estimated) return null;
  const text = (share: number) => `${(100 * share).toFixed(1)} %`;
  const numbers = `answers of late are right in ${text(estimated.accuracy)} by estimate, ${text(estimated.measured)} as measured`;
  const advice =
    "plans are made with the estimate; label some answers at the gateway to make sure, and measure anew if it stays";
  if (hasMoved(estimated)) return condition("AccuracyDrifted", true, "EstimateMoved", `${numbers}: ${advice}`);
  const moved = left.find(hasMoved);
  if (!moved) return condition("AccuracyDrifted", false, "AsMeasured", numbers);
  const name = Object.values(moved.variants).join(" → ");
  const then = `when it served last ${name} was right in ${text(moved.accuracy)} by estimate, ${text(moved.measured)} as measured`;
  return condition("AccuracyDrifted", true, "LeftVariantsMoved", `${numbers}; ${then}: ${advice}`);
}

/** Variants that pods have too little memory for; null where all fit. */
function memoryFit({ pipeline, pins }: TickInput): Finding | null {
  const unfit = unfitVariants(pipeline);
  if (unfit.length === 0) return null;
  const messages = unfit.map(({ stage, variant, message }) => {
    const isPinned = pins.some(pin => pin.stage === stage && pin.variant === variant);
    return isPinned ? `${message} Its pin is not followed.` : message;
  });
  return condition("VariantsFit", false, "MemoryShort", messages.join(" "));
}

/** Whether requests make as many rows as was measured; null where too few rows were seen. */
function fanOutDrift({ stages }: TickInput["pipeline"], fanOuts: Findings["fanOuts"]): Finding | null {
  const known = stages.flatMap(({ name, upstream }) => {
    const own = fanOuts[name];
    return own && own.seen !== null ? [{ ...own, name, upstream, seen: own.seen }] : [];
  });
  if (known.length === 0) return null;
  const moved = known.filter(
    ({ measured, seen }) => Math.max(measured, seen) > (1 + SETTINGS.rowsTold) * Math.min(measured, seen),
  );
  if (moved.length === 0)
    return condition("FanOutDrifted", false, "AsMeasured", "requests make as many rows as planned");
  const rows = (count: number) => Number(count.toPrecision(3));
  const texts = moved.map(({ name, upstream, measured, seen, planned }) => {
    const what = upstream === null ? "a request" : `a row of ${upstream}`;
    return `${what} makes ${rows(seen)} rows of ${name}, by the pipeline file and its measurements ${rows(measured)}, and plans are made with ${rows(planned)}`;
  });
  const advice = "run `variscale profile` with items like the requests, or write `fanOut` of the stage";
  return condition("FanOutDrifted", true, "RowsMoved", `${texts.join("; ")}: ${advice}`);
}

/** As many items as there were answers would differ by as much in one case of twenty without any drift. */
function hasMoved({ accuracy, measured, requests }: Omit<EstimatedAccuracy, "labels">): boolean {
  const chance = 2 * Math.sqrt((measured * (1 - measured)) / requests);
  return Math.abs(accuracy - measured) >= Math.max(SETTINGS.accuracyDrift, chance);
}

/** Whether replicas follow exactly; null where no live HPA is known. */
function exactness(input: TickInput): Finding | null {
  const known = input.pipeline.stages.flatMap(({ name }) => {
    const scaling = input.scaling[name];
    return scaling ? [{ name, most: Math.max(scaling.toleranceUp, scaling.toleranceDown) }] : [];
  });
  if (known.length === 0) return null;
  const tolerant = known.filter(({ most }) => most > 0);
  if (tolerant.length === 0)
    return condition("ActuationExact", true, "Exact", "the live HPAs follow every change of replicas");
  const names = tolerant.map(({ name }) => name).join(", ");
  const percent = Math.round(100 * Math.max(...tolerant.map(({ most }) => most)));
  const undone = `the live HPAs of ${names} leave changes of up to ${percent} % undone: where a count can't be reached the next higher one that can be is asked for`;
  const advice = `set \`advanced.horizontalPodAutoscalerConfig.behavior.scaleUp.tolerance\` and \`scaleDown.tolerance\` of their ScaledObjects to "0" (Kubernetes 1.35 or later)`;
  return condition("ActuationExact", false, "HpaTolerance", `${undone}; ${advice}`);
}

/** Whether ready replicas serve what is planned; null in shadow mode, where nothing is done, and without switchers. */
function compareWithPlan(served: Served | null, state: ControlState, input: TickInput, nowMs: number): Finding | null {
  if (!served || input.mode === "shadow") return null;
  const asPlanned = condition("ServedAsPlanned", true, "AsPlanned", "replicas serve what is planned");
  if (!isServedOther(state, input, nowMs)) return asPlanned;
  const differing = served.stages.filter(stage => stage.differing > 0);
  const cause = SERVED_CAUSES.find(one => differing.some(stage => stage.cause === one));
  // For a moment they may serve what is planned: what was told last stays until that lasts.
  if (!cause) return state.conditions.find(({ type }) => type === "ServedAsPlanned") ?? asPlanned;
  return condition("ServedAsPlanned", false, cause, differing.map(({ message }) => message).join("; "));
}

/** Whether as many requests are answered in time as the SLO asks for, and why they are not; null where the load source does not say how they end. */
function compareWithSlo(state: ControlState, input: TickInput): Finding | null {
  const { lastMinute, pipeline } = input;
  if (!lastMinute || input.mode === "shadow") return null;
  const { ended, inTime } = lastMinute;
  const { latencyMs, quantile } = pipeline.slo;
  if (!isBelow(lastMinute, quantile))
    return condition("SloMissed", false, "InTime", "as many requests are answered in time as the SLO asks for");
  const missed = explainMissed(state, input);
  if (!missed) return null;
  const { cause, advice } = missed;
  // Whole ones: with digits behind the point the message would be another one at every tick.
  const share = Math.floor((100 * inTime) / ended);
  const numbers = `${share} % of the requests of the last minute were answered within ${latencyMs} ms, and should be ${Number((100 * quantile).toPrecision(6))} %`;
  return condition("SloMissed", true, cause, `${numbers}: ${advice}`);
}

function condition(type: ConditionType, status: boolean, reason: string, message: string): Finding {
  return { type, status, reason, message: message.slice(0, MOST_MESSAGE) };
}
