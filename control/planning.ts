import { replicasOf, servedNames } from "../domain/configuration.ts";
import { LEAST_RPS } from "../domain/load.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { configurationOf, type Plan, type Reason, type StagePlan } from "../domain/plan.ts";
import { votesOf } from "../optimizer/composite.ts";
import { evaluate, isFeasible } from "../optimizer/evaluate.ts";
import { type Given, type GivenTrial, givenOf } from "../optimizer/given.ts";
import { expectMix, mixesVariants } from "../optimizer/mix/expected-value.ts";
import { mayServeLighter } from "../optimizer/mix/rungs.ts";
import { optimize } from "../optimizer/optimize.ts";
import { POLICIES } from "../optimizer/policies.ts";
import type { Problem, StagePin } from "../optimizer/problem.ts";
import { leadMs, stuckCap } from "./actuation.ts";
import type { ControlState, Demand, Recommendation, Trial } from "./control-state.ts";
import { findHighest, isFloored, withDemand } from "./demand.ts";
import { excludeBelowFloors, excludedVariants, findQuarantined, groupByStage, keepPossiblePins } from "./excluded.ts";
import { choosePlannedRate, findLikely } from "./expected/planned-rate.ts";
import { isAttainmentTold } from "./feedback/attainment.ts";
import { addReason, takeInPlace, withRise } from "./rise.ts";
import { SETTINGS } from "./settings.ts";
import type { TickInput } from "./tick-input.ts";
import { isTuned, withTunedPins } from "./tuning.ts";

/** Ticks come a little early or late: the one that is this close to the end of an interval ends it. */
const TICK_JITTER_MS = 250;
/** They say how a plan was found, not what it has. */
const OF_SEARCH: readonly Reason[] = ["optimal", "infeasible", "unproven"];

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
  const problem = { ...demanded, rateRps: choosePlannedRate(demanded, rates, state.plannedRps, input.tuning) };
  const recommendations = withRecommendation(state.recommendations, problem, nowMs);
  const best = optimize({ ...problem, recommended: mostOf(recommendations) });
  const stay = planSameVariants(problem, best);
  if (stay && !stay.feasible && isExcursion(problem, best, scaleTo(problem, demanded, demands)))
    return { ...state, recommendations, planReasons: addReason(planReasons, "held_excursion") };
  // A load that does not rise goes on to no more than the demand, which is what was chosen from.
  const risenRps = rates.risenRps > demanded.rateRps ? rates.risenRps : 0;
  const ahead = withRise(problem, chooseHeld(best, stay), risenRps);
  const plan = hasFallen(problem, nowRps) ? planFallen(problem, ahead, Math.max(nowRps, LEAST_RPS)) : ahead;
  const decisions = state.decisions + 1;
  return {
    ...state,
    // Replicas may go lighter than what is pinned for planning alone.
    plan: mixesVariants(problem) ? { ...plan, mix: expectMix(untuned, plan, findLikely(rates)) } : plan,
    planReasons: [...new Set([...plan.reasons, ...reasonsOf(demanded, state, input, nowMs)])],
    planAtMs: nowMs,
    decisionId: `d-${input.epoch}-${decisions}`,
    planInputs,
    plannedRps: problem.rateRps,
    demandRps: demanded.rateRps,
    decisions,
    recommendations,
  };
}

/** The best plan or, where that gains too little, the best one with the variants that serve now. */
function chooseHeld(best: Plan, stay: Plan | null): Plan {
  const isWorthIt = !stay?.feasible || best.objective - stay.objective >= SETTINGS.leastGain;
  return isWorthIt ? best : takeInPlace(best, stay, "held_gain");
}

/** The best plan with the variants that serve now; null where that is the best one anyway, or an HPA decides. */
function planSameVariants(problem: Problem, best: Plan): Plan | null {
  const { current, pipeline, pins } = problem;
  if (!current || POLICIES[pipeline.objective.policy].replicas === "hpa") return null;
  const variants = Object.entries(servedNames(current));
  const goal = servedNames(configurationOf(best));
  if (variants.every(([stage, variant]) => goal[stage] === variant)) return null;
  const same = variants.map(([stage, variant]) => ({ stage, variant, batch: null, replicas: null }));
  return optimize({ ...problem, pins: [...pins, ...same] });
}

/** The demands of the hold window, as far as plans are for them. */
function scaleTo(problem: Problem, demanded: Problem, demands: readonly Demand[]): readonly number[] {
  return demands.map(({ rateRps }) => (demanded.rateRps > 0 ? (rateRps * problem.rateRps) / demanded.rateRps : 0));
}

/**
 * Whether the demand is higher for a moment alone, which the current configuration lives through: it holds at what was asked for all the time, and
 * at what is asked for now it has capacity left and answers no fewer requests right and in time than lighter variants would. They would stay for
 * an interval, and take the heavier ones from replicas that go lighter by themselves where they must.
 */
function isExcursion(problem: Problem, best: Plan, rates: readonly number[]): boolean {
  const { current, pipeline } = problem;
  if (!current || !isFeasible({ ...problem, rateRps: Math.min(...rates) }, current)) return false;
  const relaxed = {
    ...pipeline,
    slo: { ...pipeline.slo, quantile: 0.5 },
    objective: {
      ...pipeline.objective,
      utilisation: Math.max(pipeline.objective.utilisation, SETTINGS.overrunUtilisation),
    },
  };
  const now = evaluate({ ...problem, pipeline: relaxed, rateRps: rates.at(-1) ?? 0 }, current);
  return now.feasible && now.effectiveAccuracy >= best.effectiveAccuracy;
}

/** Whether the load is well below what is planned for, and replicas may serve lighter variants where it rises. An HPA looks at the load alone. */
function hasFallen({ pipeline, rateRps }: Problem, nowRps: number): boolean {
  const isFree = mayServeLighter(pipeline) && POLICIES[pipeline.objective.policy].replicas !== "hpa";
  return isFree && nowRps * SETTINGS.surgeFactor < rateRps;
}

/**
 * The plan for a load that has fallen: replicas stay for what may come, as they take time to start, and variants are for the load as it is, as
 * they change at once, and lighter ones serve what comes before that.
 */
function planFallen(problem: Problem, ahead: Plan, rateRps: number): Plan {
  const least = optimize({ ...problem, rateRps });
  const now = { ...problem, rateRps, bounds: requireReplicas(ahead, problem) };
  const best = optimize({ ...now, runnerUp: false });
  const chosen = chooseHeld(best, planSameVariants(now, best));
  if (!chosen.feasible) return ahead;
  const isRaised = chosen.stages.some((stage, at) => replicasOf(stage) > replicasOf(least.stages[at] as StagePlan));
  const plan = isRaised ? takeInPlace(least, chosen, "ahead") : chosen;
  const reasons = ahead.reasons.filter(reason => !OF_SEARCH.includes(reason));
  return { ...plan, reasons: [...new Set([...plan.reasons, ...reasons])] };
}

/** The bounds of a problem with the replicas of a plan as the least. */
function requireReplicas(plan: Plan, { bounds }: Problem): Problem["bounds"] {
  const planned = plan.stages.map(stage => {
    const { min, max } = bounds[stage.stage] ?? { min: 0, max: Number.POSITIVE_INFINITY };
    return [stage.stage, { min: Math.min(max, Math.max(min, replicasOf(stage))), max }] as const;
  });
  return Object.fromEntries(planned);
}

/** What a plan that is made now is made with. */
export function planGiven(state: ControlState, input: TickInput, nowMs: number): Given {
  const { accuracies } = state;
  const areFew = accuracies.length > 0 && accuracies.length <= SETTINGS.mostRecordedAccuracies;
  const { tuning } = input;
  const problem = withTunedPins(toProblem(state, input, nowMs), tuning);
  const { plan, planReasons, demands } = state;
  const plannedRps = state.plannedRps ?? plan?.rateRps ?? 0;
  const rates = findHighest(demands);
  const risenRps = planReasons.includes("rising") ? rates.risenRps : plannedRps;
  return {
    ...givenOf(problem),
    ...(state.missing.length > 0 && { notInstalled: groupByStage(state.missing) }),
    ...(areFew && { accuracies }),
    ...(tuning.weights && { weights: tuning.weights }),
    ...(Object.keys(state.rowFactors).length > 0 && { rowFactors: state.rowFactors }),
    ...(state.trial && { trial: trialGiven(state.trial) }),
    ...(plan && risenRps > plan.rateRps && { risenRps }),
    ...(plan && plannedRps < problem.rateRps && { demandRps: problem.rateRps }),
    ...(plan?.mix && { likely: findLikely(rates) }),
    ...(isAttainmentTold(state) && { attainmentFactor: state.attainmentFactor }),
  };
}

function trialGiven({ configuration, untilMs, plannedAccuracy, accuracy, mostAccuracy }: Trial): GivenTrial {
  return { variants: servedNames(configuration), untilMs, plannedAccuracy, accuracy, mostAccuracy };
}

/** What an HPA would remember: its own recommendations of the stabilisation window, not what came of them. */
function withRecommendation(
  before: readonly Recommendation[],
  problem: Problem,
  nowMs: number,
): readonly Recommendation[] {
  if (POLICIES[problem.pipeline.objective.policy].replicas !== "hpa") return [];
  const { stages } = optimize(problem);
  const replicas = Object.fromEntries(stages.map(stage => [stage.stage, replicasOf(stage)]));
  const recent = before.filter(({ atMs }) => atMs <= nowMs && nowMs - atMs < SETTINGS.hpaStabilisationMs);
  return [...recent, { atMs: nowMs, replicas }];
}

function mostOf(recommendations: readonly Recommendation[]): Readonly<Record<string, number>> {
  const most: Record<string, number> = {};
  for (const { replicas } of recommendations)
    for (const [stage, count] of Object.entries(replicas)) most[stage] = Math.max(most[stage] ?? 0, count);
  return most;
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

/** A plan is chosen from one demand and, where the load has fallen, has variants for a lower rate: what outgrows either is planned for. */
function isDue(
  { plan, planAtMs, demandRps, plannedRps, planInputs }: ControlState,
  { rateRps, nowRps }: { readonly rateRps: number; readonly nowRps: number },
  inputs: string,
  input: TickInput,
  nowMs: number,
): boolean {
  if (!plan || planAtMs === null || nowMs < planAtMs || inputs !== planInputs) return true;
  if (nowMs >= nextPlanMs(planAtMs, input) - TICK_JITTER_MS) return true;
  const outgrows = (newRps: number, knownRps: number): boolean => newRps > knownRps * SETTINGS.surgeFactor + LEAST_RPS;
  return outgrows(rateRps, demandRps ?? plannedRps ?? plan.rateRps) || outgrows(nowRps, plan.rateRps);
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
