import { servedNames } from "../domain/configuration.ts";
import { LEAST_RPS, RATE_QUANTILES } from "../domain/load.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { configurationOf, type Reason } from "../domain/plan.ts";
import { votesOf } from "../optimizer/composite.ts";
import { type Given, type GivenTrial, givenOf } from "../optimizer/given.ts";
import { expectMix, mixesVariants } from "../optimizer/mix/expected-value.ts";
import type { Problem, StagePin } from "../optimizer/problem.ts";
import { leadMs, stuckCap } from "./actuation.ts";
import type { ControlState, Trial } from "./control-state.ts";
import { findHighest, isFloored, withDemand } from "./demand.ts";
import { excludeBelowFloors, excludedVariants, findQuarantined, groupByStage, keepPossiblePins } from "./excluded.ts";
import { isAttainmentTold } from "./feedback/attainment.ts";
import { planDemand } from "./plans/plan-demand.ts";
import { findLikely, planExpected } from "./plans/plan-expected.ts";
import { addReason } from "./plans/rise.ts";
import { SETTINGS } from "./settings.ts";
import type { TickInput } from "./tick-input.ts";
import { isTuned, withTunedPins } from "./tuning.ts";

/** Ticks come a little early or late: the one that is this close to the end of an interval ends it. */
const TICK_JITTER_MS = 250;
const HIGH = RATE_QUANTILES.indexOf(0.9);

/** The horizon that a forecast for this pipeline must have: the time to the next plan and until its replicas are ready. */
export function planningHorizonMs(state: ControlState, pipeline: Pipeline): number {
  const leads = pipeline.stages.map(stage => leadMs(state.actuations[stage.name]));
  return pipeline.intervalMs + Math.max(...leads);
}

/** Plans when the interval is over, when demand outgrows the plan, or when what was planned with has changed. */
export function planWhenDue(before: ControlState, input: TickInput, nowMs: number): ControlState {
  const lastArrivalMs = newestArrivalMs(before, input, nowMs);
  const demands = withDemand(before, input, nowMs);
  const state = { ...before, demands, lastArrivalMs };
  const { planReasons } = state;
  const untuned = toProblem(state, input, nowMs);
  const { pins, excluded, bounds, limits } = untuned;
  const planInputs = `${JSON.stringify([pins, excluded, bounds, limits, input.tuning.pins, state.rowFactors])}${outlineOf(input.pipeline)}`;
  if (!input.forecast) return state.plan ? { ...state, planReasons: addReason(planReasons, "held_no_data") } : state;
  const rates = findHighest(demands);
  const { nowRps } = rates;
  if (!isDue(state, { rateRps: untuned.rateRps, nowRps }, planInputs, input, nowMs)) return state;
  const demanded = withTunedPins(untuned, input.tuning);
  const expected = planExpected(demanded, rates, input.tuning);
  const { plan, recommendations } = expected
    ? { plan: expected, recommendations: [] }
    : planDemand(state, demanded, rates, nowMs);
  if (!plan) return { ...state, recommendations, planReasons: addReason(planReasons, "held_excursion") };
  const decisions = state.decisions + 1;
  return {
    ...state,
    plan: !expected && mixesVariants(demanded) ? { ...plan, mix: expectMix(demanded, plan, findLikely(rates)) } : plan,
    planReasons: [...new Set([...plan.reasons, ...reasonsOf(demanded, state, input, nowMs)])],
    planAtMs: nowMs,
    decisionId: `d-${input.epoch}-${decisions}`,
    planInputs,
    demandRps: demanded.rateRps,
    expectedRps: expected ? (findLikely(rates).ratesRps[HIGH] ?? null) : null,
    decisions,
    recommendations,
  };
}

/** What a plan that is made now is made with. */
export function planGiven(state: ControlState, input: TickInput, nowMs: number): Given {
  const { accuracies } = state;
  const areFew = accuracies.length > 0 && accuracies.length <= SETTINGS.mostRecordedAccuracies;
  const { tuning } = input;
  const problem = withTunedPins(toProblem(state, input, nowMs), tuning);
  const { plan, planReasons, demands } = state;
  const rates = findHighest(demands);
  // A plan for what is expected has it among the rates that may come.
  const isRisen = planReasons.includes("rising") && !planReasons.includes("expected");
  const risenRps = isRisen ? rates.risenRps : (state.demandRps ?? 0);
  return {
    ...givenOf(problem),
    ...(state.missing.length > 0 && { notInstalled: groupByStage(state.missing) }),
    ...(areFew && { accuracies }),
    ...(tuning.weights && { weights: tuning.weights }),
    ...(Object.keys(state.rowFactors).length > 0 && { rowFactors: state.rowFactors }),
    ...(state.trial && { trial: trialGiven(state.trial) }),
    ...(plan && risenRps > plan.rateRps && { risenRps }),
    ...(plan?.mix && { likely: findLikely(rates) }),
    ...(isAttainmentTold(state) && { attainmentFactor: state.attainmentFactor }),
  };
}

function trialGiven({ configuration, untilMs, plannedAccuracy, accuracy, mostAccuracy }: Trial): GivenTrial {
  return { variants: servedNames(configuration), untilMs, plannedAccuracy, accuracy, mostAccuracy };
}

/** Before anything is known of a load it counts as just arrived: a pipeline is idle only when it was seen without arrivals. */
function newestArrivalMs(state: ControlState, input: TickInput, nowMs: number): number | null {
  if (!input.load) return state.lastArrivalMs;
  return input.load.rateRps > 0 ? nowMs : (state.lastArrivalMs ?? nowMs);
}

/** What a plan that is made now would be the answer to. */
export function toProblem(state: ControlState, input: TickInput, nowMs: number): Problem {
  const held = findHighest(state.demands).rateRps;
  const isIdle = state.lastArrivalMs !== null && nowMs - state.lastArrivalMs >= SETTINGS.idleAfterMs;
  const unusable = excludedVariants(state, input.pipeline, nowMs);
  const pins = keepPossiblePins(mergePins(input), unusable);
  return {
    pipeline: input.pipeline,
    // A pipeline that is not idle yet keeps a replica of every stage, however low the rate.
    rateRps: isIdle ? held : Math.max(held, LEAST_RPS),
    current: state.plan ? configurationOf(state.plan) : null,
    corrections: state.corrections,
    excluded: excludeBelowFloors(input.pipeline, unusable, pins),
    pins,
    limits: input.limits,
    bounds: effectiveBounds(state, input, nowMs),
    scaling: input.scaling,
    // Where no gateway is known to join votes one variant serves a stage; none splits rows.
    combine: input.joinsVotes ? votesOf(input.pipeline) : {},
  };
}

/**
 * Operators' pins, the pins of admin endpoints where all ready switchers of a stage agree, and the default variant where there are no switchers:
 * replicas that nobody can tell what to serve keep what they serve.
 */
function mergePins(input: TickInput): readonly StagePin[] {
  const pins = [...input.pins];
  for (const stage of input.pipeline.stages) {
    if (pins.some(pin => pin.stage === stage.name && pin.variant !== null)) continue;
    const views = input.switchers.filter(view => view.stage === stage.name);
    if (views.length === 0 && Object.hasOwn(input.readyReplicas, stage.name))
      pins.push({ stage: stage.name, variant: stage.defaultVariant, batch: null, replicas: null });
    const ready = views.filter(view => view.ready);
    const pin = ready[0]?.pin;
    if (pin && ready.every(view => view.pin?.variant === pin.variant && view.pin.batch === pin.batch)) {
      pins.push({ stage: stage.name, variant: pin.variant, batch: pin.batch, replicas: null });
    }
  }
  return pins;
}

function effectiveBounds(state: ControlState, input: TickInput, nowMs: number): Problem["bounds"] {
  const bounds: Record<string, { min: number; max: number }> = {};
  for (const { name, replicas } of input.pipeline.stages) {
    const live = input.bounds[name] ?? replicas;
    const cap = stuckCap(state.actuations[name], nowMs) ?? Number.POSITIVE_INFINITY;
    const max = Math.min(replicas.max, live.max, cap);
    bounds[name] = { min: Math.min(max, Math.max(replicas.min, live.min)), max };
  }
  return bounds;
}

/**
 * Whether the interval is over, the load outgrows what was planned for, or what was planned with has changed. A plan is for one demand and has variants for a
 * lower rate where the load has fallen, or for what is expected: what outgrows either is planned for.
 */
function isDue(
  { plan, planAtMs, demandRps, expectedRps, planInputs }: ControlState,
  { rateRps, nowRps }: { readonly rateRps: number; readonly nowRps: number },
  inputs: string,
  input: TickInput,
  nowMs: number,
): boolean {
  if (!plan || planAtMs === null || nowMs < planAtMs || inputs !== planInputs) return true;
  if (nowMs >= nextPlanMs(planAtMs, input) - TICK_JITTER_MS) return true;
  const outgrows = (newRps: number, knownRps: number): boolean => newRps > knownRps * SETTINGS.surgeFactor + LEAST_RPS;
  return outgrows(rateRps, demandRps ?? plan.rateRps) || outgrows(nowRps, expectedRps ?? plan.rateRps);
}

/** When the interval is over that a plan was made in or, where it was made right before the end of one, the next. */
function nextPlanMs(planAtMs: number, { pipeline, planPhaseMs }: TickInput): number {
  const { intervalMs } = pipeline;
  if (planPhaseMs === undefined) return planAtMs + intervalMs;
  const sinceMs = (planAtMs - planPhaseMs) % intervalMs;
  const leftMs = intervalMs - (sinceMs < 0 ? sinceMs + intervalMs : sinceMs);
  return planAtMs + (leftMs <= TICK_JITTER_MS ? leftMs + intervalMs : leftMs);
}

function reasonsOf(problem: Problem, state: ControlState, { forecast, tuning }: TickInput, nowMs: number): Reason[] {
  const { demands, quarantines, missing } = state;
  const reasons: Reason[] = [];
  const newest = demands.at(-1)?.rateRps ?? 0;
  if (problem.rateRps > newest * SETTINGS.surgeFactor + LEAST_RPS) reasons.push("held_scale_down");
  if (forecast && isFloored(forecast, tuning)) reasons.push("floor_reactive");
  if (isAttainmentTold(state)) reasons.push("slo_missed");
  if (problem.pins.length > 0) reasons.push("pinned");
  if (isTuned(tuning)) reasons.push("tuned");
  if (findQuarantined(quarantines, nowMs).length > 0) reasons.push("quarantined");
  if (missing.length > 0) reasons.push("not_installed");
  return reasons;
}

const outlines = new WeakMap<Pipeline, string>();

/** What of a pipeline file changes plans: kilobytes of text that are the same at every tick. */
function outlineOf(pipeline: Pipeline): string {
  const known = outlines.get(pipeline);
  if (known !== undefined) return known;
  const stages = pipeline.stages.map(stage => [
    stage.name,
    stage.cores,
    stage.replicas,
    stage.variants.map(variant => [variant.name, variant.sha256 ?? variant.url]),
  ]);
  const outline = JSON.stringify([pipeline.objective, pipeline.slo, stages]);
  outlines.set(pipeline, outline);
  return outline;
}
