import { initialActuation, observeActuation, stuckCap } from "./actuation.ts";
import type { PipelineBoard } from "./board.ts";
import { conditionsOf } from "./conditions.ts";
import type { ControlState } from "./control-state.ts";
import { correct } from "./correction.ts";
import { guardTick } from "./guard.ts";
import { planWhenDue } from "./planning.ts";
import { quarantine } from "./quarantine.ts";
import type { TickInput } from "./tick-input.ts";
import { readyCount, transition } from "./transition.ts";

export interface TickResult {
  readonly state: ControlState;
  readonly board: PipelineBoard;
}

/**
 * One pass of the control loop, once a second: observe → plan when due → guard → move towards the goal. Pure: the same state,
 * input and time give the same result; the scaler calls it with the wall clock, the simulator with a virtual one.
 */
export function tick(before: ControlState, input: TickInput, nowMs: number): TickResult {
  let state: ControlState = {
    ...before,
    ...correct(before, input.pipeline, input.switchers),
    quarantines: quarantine(before.quarantines, input.switchers, nowMs),
    actuations: observeAll(before, input, nowMs),
  };
  state = { ...state, ...planWhenDue(state, input, nowMs) };
  state = { ...state, guard: guardTick(state, input, nowMs) };
  const moved = transition(state, input, nowMs);
  state = { ...state, ...moved.state, epoch: input.epoch };
  state = { ...state, conditions: conditionsOf(state, input, nowMs) };
  const stuck = input.pipeline.stages.some(stage => stuckCap(state.actuations[stage.name], nowMs) !== null);
  const reasons = new Set([...state.planReasons, ...moved.reasons]);
  if (state.guard) reasons.add("guard");
  if (stuck) reasons.add("actuation_stuck");
  return {
    state,
    board: {
      key: input.pipeline.key,
      mode: input.mode,
      atMs: nowMs,
      decisionId: state.decisionId,
      planAtMs: state.planAtMs,
      plan: state.plan,
      stages: moved.stages,
      guarding: state.guard !== null,
      forecast: input.forecast,
      load: input.load,
      reasons: [...reasons],
      conditions: state.conditions,
      corrections: state.corrections,
    },
  };
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
