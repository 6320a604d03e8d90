import { type Configuration, replicasOf, servedName } from "../domain/configuration.ts";
import { configurationOf, type Plan, type Reason } from "../domain/plan.ts";
import { evaluate, isFeasible } from "../optimizer/evaluate.ts";
import { optimize } from "../optimizer/optimize.ts";
import { POLICIES } from "../optimizer/policies.ts";
import type { Problem, StagePin } from "../optimizer/problem.ts";
import { SETTINGS } from "./settings.ts";

/** Entry rates that the forecasts of the hold window asked for. */
export interface DemandLevels {
  readonly nowRps: number;
  /** The lowest of the window: what was asked for all the time. */
  readonly sustainedRps: number;
  /** What the rate of a load that goes on as it was is at most; null: the load changes. */
  readonly steadyRps: number | null;
}

export interface Decision {
  readonly plan: Plan;
  readonly reasons: readonly Reason[];
}

/**
 * The plan to go to, or null where the current plan had better stay as it is. Replicas follow the demand; variants are changed only for a gain
 * above the hysteresis, not for a dip of a steady load, and are not left for an excursion of the demand that they live through: a switch lasts
 * at least the hold window.
 *
 * @param isRisen the current configuration has replicas for a rise of the load, which are given back whatever that gains.
 */
export function decide(
  problem: Problem,
  demand: DemandLevels,
  hysteresis: number = SETTINGS.hysteresis,
  isRisen = false,
): Decision | null {
  const best = optimize(problem);
  const { current } = problem;
  const chosen = { plan: best, reasons: best.reasons };
  if (!current || POLICIES[problem.pipeline.objective.policy].replicas === "hpa") return chosen;
  const goal = configurationOf(best);
  if (hasSameVariants(current, goal)) {
    if (!best.feasible || isSame(current, goal) || (isRisen && hasSpare(current, goal))) return chosen;
    return keptUnlessBetter(evaluate(problem, current), best, hysteresis) ?? chosen;
  }
  const pins = pinsTo(problem, current);
  if (pins === null) return chosen;
  const stay = optimize({ ...problem, pins });
  const isDip = demand.steadyRps !== null && !outlastsDip(problem, pins, goal, demand.steadyRps, hysteresis);
  const kept = keptUnlessBetter(stay, best, hysteresis) ?? (isDip ? keptThroughDip(stay, best) : null);
  if (kept) return kept;
  return !stay.feasible && outlasts(problem, current, demand, best) ? null : chosen;
}

/** Null: the current configuration breaks a constraint, or the best is better by enough. */
function keptUnlessBetter(kept: Plan, best: Plan, hysteresis: number): Decision | null {
  return kept.feasible && best.objective - kept.objective < hysteresis ? held(kept, best, "held_hysteresis") : null;
}

/** Null: the current configuration breaks a constraint. */
function keptThroughDip(kept: Plan, best: Plan): Decision | null {
  return kept.feasible ? held(kept, best, "held_steady") : null;
}

function held(kept: Plan, best: Plan, reason: Reason): Decision {
  return { plan: inPlaceOf(best, kept), reasons: withReason(kept.reasons, reason) };
}

/** A plan that is taken although another is better, with that as what it was held against. */
export function inPlaceOf(best: Plan, taken: Plan): Plan {
  const lost = best.objective - taken.objective;
  const { stages, objective, accuracy, cores, latencyMs, binding } = best;
  const runnerUp = { stages, objective, accuracy, cores, latencyMs };
  return { ...taken, optimal: false, gap: Math.max(0, lost) + best.gap, binding, runnerUp };
}

/** Whether the goal's variants are better than the current ones, which are pinned, also at the rate that a steady load comes back to; one that the current ones can't carry tells nothing. */
function outlastsDip(
  problem: Problem,
  pins: readonly StagePin[],
  goal: Configuration,
  steadyRps: number,
  hysteresis: number,
): boolean {
  const goalPins = pinsTo(problem, goal);
  if (goalPins === null || steadyRps <= problem.rateRps) return true;
  const at = { ...problem, rateRps: steadyRps, runnerUp: false };
  const [there, here] = [optimize({ ...at, pins: goalPins }), optimize({ ...at, pins })];
  return !here.feasible || (there.feasible && there.objective - here.objective >= hysteresis);
}

/**
 * Whether the current configuration lives through demand that it was not planned for: it holds at what was asked for all the time, and at
 * what is asked for now it has capacity left and answers no fewer requests right and in time than the best plan would.
 */
function outlasts(problem: Problem, current: Configuration, demand: DemandLevels, best: Plan): boolean {
  if (!isFeasible({ ...problem, rateRps: demand.sustainedRps }, current)) return false;
  const { pipeline } = problem;
  const relaxed = {
    ...pipeline,
    slo: { ...pipeline.slo, quantile: 0.5 },
    objective: {
      ...pipeline.objective,
      utilisation: Math.max(pipeline.objective.utilisation, SETTINGS.overrunUtilisation),
    },
  };
  const now = evaluate({ ...problem, pipeline: relaxed, rateRps: demand.nowRps }, current);
  return now.feasible && now.effectiveAccuracy >= best.effectiveAccuracy;
}

/** The problem's pins with every stage's variant given; null: a pin is of another variant. */
function pinsTo(problem: Problem, current: Configuration): readonly StagePin[] | null {
  const pins: StagePin[] = [];
  for (const { name } of problem.pipeline.stages) {
    const variant = variantOf(current, name);
    const own = problem.pins.filter(pin => pin.stage === name);
    if (variant === null || own.some(pin => pin.variant !== null && pin.variant !== variant)) return null;
    pins.push(...own, { stage: name, variant, batch: null, replicas: null });
  }
  return pins;
}

function variantOf(configuration: Configuration, stage: string): string | null {
  const found = configuration[stage];
  return found ? servedName(found) : null;
}

function hasSameVariants(a: Configuration, b: Configuration): boolean {
  return stagesOf(a, b).every(stage => variantOf(a, stage) === variantOf(b, stage));
}

function isSame(a: Configuration, b: Configuration): boolean {
  return stagesOf(a, b).every(stage => JSON.stringify(a[stage]?.parts) === JSON.stringify(b[stage]?.parts));
}

/** Whether replicas can be given back, and none is missing. */
function hasSpare(current: Configuration, goal: Configuration): boolean {
  const spares = stagesOf(current, goal).map(stage => countOf(current, stage) - countOf(goal, stage));
  return spares.every(spare => spare >= 0) && spares.some(spare => spare > 0);
}

function countOf(configuration: Configuration, stage: string): number {
  const own = configuration[stage];
  return own ? replicasOf(own) : 0;
}

function stagesOf(a: Configuration, b: Configuration): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

/** The reasons with one more, if it is not among them. */
export function withReason(reasons: readonly Reason[], reason: Reason): readonly Reason[] {
  return reasons.includes(reason) ? reasons : [...reasons, reason];
}
