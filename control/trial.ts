import { mainPart, servedNames } from "../domain/configuration.ts";
import { findStage, findVariant, type Pipeline } from "../domain/pipeline.ts";
import { configurationOf, type Plan } from "../domain/plan.ts";
import { accuracyOf } from "../optimizer/accuracy.ts";
import { optimize } from "../optimizer/optimize.ts";
import type { Problem } from "../optimizer/problem.ts";
import { mostAccuracies } from "./accuracy-drift.ts";
import { mostRps, stageRates } from "./capacity.ts";
import type { ControlState, Trial } from "./control-state.ts";
import { findRisenRps } from "./demand.ts";
import { excludedVariants } from "./excluded.ts";
import { toProblem } from "./planning.ts";
import { SETTINGS } from "./settings.ts";
import type { TickInput } from "./tick-input.ts";
import { withTunedPins } from "./tuning.ts";

/** Of what the replicas carry, so many that may be most accurate are looked at. */
const MOST_CANDIDATES = 20;

/** … and so many with those that they don't carry: a tick waits for each of these optimisations. */
const MOST_OPTIMISATIONS = 200;

/**
 * While accuracy has drifted, a combination of variants that may be better than what is planned serves for half a minute in five, at the replicas
 * that are there: what has not served since the drift is known by what others did alone, and an order that the drift has turned round
 * would never be found. The plan stays; what is seen moves it, or not. One begins with a decision where nothing else is under way, and
 * ends at once where the plan moves, the load outgrows it, a replica is gone, rows wait long or accuracy is as measured again. After one
 * that the replicas did not carry the pause is twice as long, and so on, until one lasts or accuracy is as measured again.
 *
 * @param before the plan of the tick before.
 * @param measured the pipeline with the accuracies that were measured.
 */
export function trialTick(
  before: Plan | null,
  state: ControlState,
  input: TickInput,
  measured: Pipeline,
  nowMs: number,
): ControlState {
  const { trial, trialAtMs, trials, plan } = state;
  const trialFailures = failuresOf(state, input, nowMs);
  const none: ControlState = { ...state, trial: null, trialFailures };
  if (!plan || !isTime(state, input)) return none;
  if (trial) return goesOn(trial, plan, state, input, nowMs) ? { ...none, trial } : none;
  const pauseMs = Math.min(SETTINGS.backoffMaxMs, SETTINGS.trialEveryMs * 2 ** trialFailures);
  const isPaused = trialAtMs !== null && nowMs >= trialAtMs && nowMs - trialAtMs < pauseMs;
  if (isPaused || state.planAtMs !== nowMs || !isSettled(before, plan, state, input)) return none;
  const next = trialOf(plan, state, input, measured, nowMs);
  return next ? { ...none, trial: next, trialAtMs: nowMs, trials: trials + 1 } : none;
}

/** Trials in a row, with the one that is under way, that replicas did not carry to their end. */
function failuresOf({ trial, trialFailures, plan, conditions }: ControlState, input: TickInput, nowMs: number) {
  if (!hasDrifted(conditions)) return 0;
  if (!trial) return trialFailures;
  if (nowMs >= trial.untilMs || (plan && isPlanned(plan, servedNames(trial.configuration)))) return 0;
  return !isCarried(trial, input) ? trialFailures + 1 : trialFailures;
}

function hasDrifted(conditions: ControlState["conditions"]): boolean {
  return conditions.some(({ type, status }) => type === "AccuracyDrifted" && status);
}

function isPlanned(plan: Plan, variants: Readonly<Record<string, string>>): boolean {
  return Object.entries(servedNames(configurationOf(plan))).every(([stage, variant]) => variants[stage] === variant);
}

/** Whether anything may be tried now, whatever it is. */
function isTime({ conditions, plan, planReasons }: ControlState, input: TickInput): boolean {
  const { pipeline, mode, forecast, tuning } = input;
  const { policy, podShape } = pipeline.objective;
  return (
    pipeline.accuracy.trials &&
    mode === "active" &&
    policy === "default" &&
    podShape === "stage" &&
    plan?.feasible === true &&
    forecast !== null &&
    !planReasons.includes("rising") &&
    findRisenRps(forecast, tuning) === null &&
    hasDrifted(conditions)
  );
}

function goesOn(trial: Trial, plan: Plan, state: ControlState, input: TickInput, nowMs: number): boolean {
  const { rateRps, pins } = toProblem(state, input, nowMs);
  const tried = servedNames(trial.configuration);
  const excluded = excludedVariants(state, input.pipeline, nowMs);
  return (
    nowMs >= trial.sinceMs &&
    nowMs < trial.untilMs &&
    rateRps <= SETTINGS.surgeFactor * trial.rateRps &&
    isPlanned(plan, trial.planned) &&
    Object.entries(tried).every(([stage, variant]) => !excluded[stage]?.includes(variant)) &&
    !isPinnedElsewhere(pins, tried) &&
    isCarried(trial, input)
  );
}

/** A trial goes on while every stage has as many replicas as it was judged with, and rows wait at none of them for long. */
function isCarried({ configuration }: Trial, { switchers, pipeline }: TickInput): boolean {
  const longestMs = SETTINGS.trialQueueShare * pipeline.slo.latencyMs;
  return Object.entries(configuration).every(([stage, { parts }]) => {
    const ready = switchers.filter(view => view.stage === stage && view.ready);
    return ready.length >= (parts[0]?.replicas ?? 0) && ready.every(view => view.queueAgeMs <= longestMs);
  });
}

function isPinnedElsewhere(pins: Problem["pins"], variants: Readonly<Record<string, string>>): boolean {
  return pins.some(({ stage, variant }) => variant !== null && variant !== variants[stage]);
}

/** The plan is the one of before, all its replicas are ready and serve it, and the load does not rise. */
function isSettled(before: Plan | null, plan: Plan, state: ControlState, input: TickInput): boolean {
  if (!before || JSON.stringify(shapeOf(before)) !== JSON.stringify(shapeOf(plan)) || isRising(state)) return false;
  return plan.stages.every(({ stage, parts }) => {
    const views = input.switchers.filter(view => view.stage === stage);
    const [part] = parts;
    return (
      part !== undefined &&
      parts.length === 1 &&
      views.length > 0 &&
      views.length === part.replicas &&
      state.actuations[stage]?.replicas === part.replicas &&
      views.every(view => view.ready && view.pin === null && view.variant === part.variant)
    );
  });
}

function shapeOf({ stages }: Plan): readonly unknown[] {
  return stages.map(({ stage, parts }) => [stage, parts.map(({ variant, replicas }) => [variant, replicas])]);
}

/** The newest demand is the highest of the hold window, by more than what is planned for at once. */
function isRising({ demands }: ControlState): boolean {
  const rates = demands.map(({ rateRps }) => rateRps);
  const newest = rates.at(-1) ?? 0;
  return newest >= Math.max(...rates) && newest > SETTINGS.surgeFactor * Math.min(...rates);
}

/** What may be the best, if it may be better than the plan by more than a plan is changed for; null: nothing may be. */
function trialOf(plan: Plan, state: ControlState, input: TickInput, measured: Pipeline, nowMs: number): Trial | null {
  const { tuning, pipeline } = input;
  const most = mostAccuracies(measured, state.remembered);
  const problem = withTunedPins(toProblem(state, input, nowMs), tuning);
  const planned = servedNames(configurationOf(plan));
  const candidates = most
    .filter(
      ({ variants, accuracy }) =>
        accuracy > plan.accuracy &&
        pipeline.stages.some(({ name }) => variants[name] !== planned[name]) &&
        !isPinnedElsewhere(problem.pins, variants) &&
        pipeline.stages.every(({ name }) => isAtHand(name, variants[name] ?? "", problem, input)) &&
        hasCapacity(plan, problem, variants),
    )
    .sort((a, b) => b.accuracy - a.accuracy);
  const hopeful = { ...pipeline, accuracy: { ...pipeline.accuracy, combinations: most } };
  let best: { readonly plan: Plan; readonly variants: Readonly<Record<string, string>> } | null = null;
  let carried = 0;
  for (const { variants } of candidates.slice(0, MOST_OPTIMISATIONS)) {
    const served = optimize({ ...problem, pipeline: hopeful, pins: pinned(problem, plan, variants), runnerUp: false });
    if (!served.feasible) continue;
    if (served.objective > (best?.plan.objective ?? Number.NEGATIVE_INFINITY)) best = { plan: served, variants };
    carried += 1;
    if (carried === MOST_CANDIDATES) break;
  }
  if (!best || best.plan.objective - plan.objective < SETTINGS.leastGain) return null;
  const { variants } = best;
  return {
    sinceMs: nowMs,
    untilMs: nowMs + SETTINGS.trialMs,
    rateRps: problem.rateRps,
    configuration: configurationOf(best.plan),
    planned,
    plannedAccuracy: plan.accuracy,
    accuracy: accuracyOf(pipeline).of(pipeline.stages.map(({ name }) => variants[name] ?? "")),
    mostAccuracy: best.plan.accuracy,
  };
}

/** Whether the replicas of the plan could serve every row with these variants, all of their time: what can't is not worth an optimisation. */
function hasCapacity(plan: Plan, problem: Problem, variants: Readonly<Record<string, string>>): boolean {
  const { pipeline, rateRps, corrections } = problem;
  const rates = stageRates(pipeline, rateRps, stage => variants[stage] ?? null);
  return pipeline.stages.every(stage => {
    const { name } = stage;
    const replicas = plan.stages.find(one => one.stage === name)?.parts[0]?.replicas ?? 0;
    return (rates[name] ?? 0) <= replicas * mostRps(stage, variants[name] ?? "", corrections[name] ?? 1);
  });
}

/** These variants at the replicas of the plan. */
function pinned({ pins }: Problem, plan: Plan, variants: Readonly<Record<string, string>>): Problem["pins"] {
  return [
    ...pins,
    ...plan.stages.map(own => ({
      stage: own.stage,
      variant: variants[own.stage] ?? null,
      batch: null,
      replicas: mainPart(own)?.replicas ?? null,
    })),
  ];
}

/** The variant may be used, and every replica has it or loads it in a moment. */
function isAtHand(stage: string, variant: string, { excluded }: Problem, { pipeline, switchers }: TickInput): boolean {
  const found = findStage(pipeline, stage);
  const profile = found && findVariant(found, variant)?.profile;
  if (!profile || excluded[stage]?.includes(variant)) return false;
  const views = switchers.filter(view => view.stage === stage);
  return profile.loadMs <= SETTINGS.trialLoadMs || views.every(view => view.residentVariants.includes(variant));
}
