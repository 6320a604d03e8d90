import type { Pipeline } from "../domain/pipeline.ts";
import type { Reason } from "../domain/plan.ts";
import {
  adoptedAccuracies,
  driftedAccuracies,
  estimatedAccuracy,
  leftCombinations,
  rememberedEvidence,
  withAccuracies,
  withAnswers,
} from "./accuracy-drift.ts";
import { initialActuation, observeActuation, stuckStages } from "./actuation.ts";
import type { PipelineBoard } from "./board.ts";
import { withoutClockJump } from "./clock-jump.ts";
import { conditionsOf } from "./conditions.ts";
import type { ControlState } from "./control-state.ts";
import { missingVariants, quarantine } from "./excluded.ts";
import { learnAttainment } from "./feedback/attainment.ts";
import { correct } from "./feedback/correction.ts";
import { fittingState } from "./fitting-state.ts";
import { planGiven, planWhenDue } from "./planning.ts";
import { learnRows, learntFanOuts, withRowFactors } from "./rows/learn-rows.ts";
import { countServedRows } from "./rows/served-rows.ts";
import { compareServed, observeServedOther } from "./served.ts";
import type { TickInput } from "./tick-input.ts";
import { readyCount, transition } from "./transition.ts";
import { trialTick } from "./trial.ts";
import { withTuning } from "./tuning.ts";
import { usableInput } from "./usable-input.ts";

export interface TickResult {
  readonly state: ControlState;
  readonly board: PipelineBoard;
}

/**
 * One pass of the control loop, once a second: observe → plan when due → try → move towards the goal. Pure: the same state,
 * input and time give the same result; the scaler calls it with the wall clock, the simulator with a virtual one.
 */
export function tick(before: ControlState, given: TickInput, nowMs: number): TickResult {
  const usable = usableInput(given);
  const fitting = withAccuracy(fittingState(withoutClockJump(before, nowMs), given.pipeline), usable, nowMs);
  const rows = countServedRows(fitting, usable);
  const known = learnRows(fitting, usable, rows, nowMs);
  // Versions only rise: an epoch below the newest one would give assignments that every switcher refuses.
  const epoch = Math.max(given.epoch, known.epoch);
  const learnt = withRowFactors(withAccuracies(given.pipeline, known.accuracies), known.rowFactors);
  const input = { ...usable, pipeline: withTuning(learnt, usable.tuning), epoch };
  const state = decided(known, input, given.pipeline, nowMs);
  const moved = transition(state, input, nowMs);
  const settled = { ...state, ...moved.state, epoch, atMs: nowMs };
  const served = compareServed(settled, input, rows.sums);
  const after = { ...settled, servedOther: observeServedOther(known.servedOther, served, nowMs) };
  const estimated = estimatedAccuracy(given.pipeline, after.evidence);
  const left = leftCombinations(given.pipeline, after.evidence, after.remembered);
  const fanOuts = learntFanOuts(given.pipeline, after, usable.lastMinute);
  const conditions = conditionsOf(after, input, { estimated, left, served, fanOuts }, nowMs);
  return {
    state: { ...after, conditions },
    board: {
      key: input.pipeline.key,
      mode: input.mode,
      atMs: nowMs,
      decisionId: state.decisionId,
      planAtMs: state.planAtMs,
      plan: state.plan,
      stages: moved.stages,
      forecast: input.forecast,
      load: input.load,
      reasons: reasonsOf(state, input, moved.reasons, nowMs),
      conditions,
      corrections: state.corrections,
      attainmentFactor: state.attainmentFactor,
      fanOuts,
      estimated,
      served,
      trial: state.trial,
      trials: state.trials,
      given: state.decisionId === known.decisionId ? null : planGiven(state, input, nowMs),
    },
  };
}

/** What answers since the last tick say of accuracy, and what is planned with for it. */
function withAccuracy(state: ControlState, { pipeline, answered }: TickInput, nowMs: number): ControlState {
  const elapsedMs = state.atMs === null ? 0 : nowMs - state.atMs;
  const evidence = withAnswers(state.evidence, answered, elapsedMs);
  const { trials } = pipeline.accuracy;
  const remembered = trials ? rememberedEvidence(state.remembered, evidence, elapsedMs) : [];
  const accuracies = adoptedAccuracies(state.accuracies, driftedAccuracies(pipeline, trials ? remembered : evidence));
  return { ...state, evidence, remembered, accuracies };
}

/** What is known and decided now, before anything moves. */
function decided(known: ControlState, input: TickInput, measured: Pipeline, nowMs: number): ControlState {
  const observed: ControlState = {
    ...known,
    ...correct(known, input.pipeline, input.switchers),
    ...learnAttainment(known, input, nowMs),
    quarantines: quarantine(known.quarantines, input.switchers, nowMs),
    missing: missingVariants(known.missing, input, nowMs),
    actuations: observeAll(known, input, nowMs),
  };
  return trialTick(known.plan, planWhenDue(observed, input, nowMs), input, measured, nowMs);
}

function observeAll(state: ControlState, input: TickInput, nowMs: number): ControlState["actuations"] {
  return Object.fromEntries(
    input.pipeline.stages.map(stage => {
      const ready = readyCount(input, stage);
      const known = state.actuations[stage.name] ?? initialActuation(Math.max(stage.replicas.min, ready));
      return [stage.name, observeActuation(known, ready, nowMs)];
    }),
  );
}

function reasonsOf(
  state: ControlState,
  input: TickInput,
  ofMoves: readonly Reason[],
  nowMs: number,
): readonly Reason[] {
  const reasons = new Set<Reason>([...state.planReasons, ...ofMoves]);
  if (state.trial) reasons.add("trial");
  if (stuckStages(input.pipeline, state.actuations, nowMs).length > 0) reasons.add("actuation_stuck");
  return [...reasons];
}
