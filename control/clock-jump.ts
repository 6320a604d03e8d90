import type { ControlState } from "./control-state.ts";

/** Between two ticks of a loop that runs; more is a pause, in which nobody looked whether replicas became ready. */
const LONGEST_GAP_MS = 10_000;

/**
 * The state as it would be had the clock not jumped. A clock that was set back takes every time of the state with it, so that no wait, dwell or
 * back-off lasts longer by it; a pause or a clock that was set forward does not count as waiting for replicas, nor as time in
 * which no pod missed a variant.
 */
export function withoutClockJump(state: ControlState, nowMs: number): ControlState {
  if (state.atMs === null) return state;
  const elapsedMs = nowMs - state.atMs;
  if (elapsedMs < 0) return shifted(state, elapsedMs);
  if (elapsedMs <= LONGEST_GAP_MS) return state;
  return { ...state, actuations: waitingShifted(state, elapsedMs), missing: missingShifted(state, elapsedMs) };
}

function shifted(state: ControlState, byMs: number): ControlState {
  return {
    ...state,
    planAtMs: shiftedTime(state.planAtMs, byMs),
    lastArrivalMs: shiftedTime(state.lastArrivalMs, byMs),
    asPlannedSinceMs: shiftedTime(state.asPlannedSinceMs, byMs),
    demands: state.demands.map(demand => ({ ...demand, atMs: demand.atMs + byMs })),
    recommendations: state.recommendations.map(entry => ({ ...entry, atMs: entry.atMs + byMs })),
    quarantines: state.quarantines.map(entry => ({ ...entry, untilMs: entry.untilMs + byMs })),
    missing: missingShifted(state, byMs),
    trialAtMs: shiftedTime(state.trialAtMs, byMs),
    rowsLoadAtMs: shiftedTime(state.rowsLoadAtMs, byMs),
    rowEvidence: Object.fromEntries(
      Object.entries(state.rowEvidence).map(([stage, { sinceMs, held, ...rest }]) => [
        stage,
        {
          ...rest,
          ...(sinceMs !== undefined && { sinceMs: sinceMs + byMs }),
          ...(held && { held: held.map(([atMs, rows, dropped]) => [atMs + byMs, rows, dropped] as const) }),
        },
      ]),
    ),
    trial: state.trial && {
      ...state.trial,
      sinceMs: state.trial.sinceMs + byMs,
      untilMs: state.trial.untilMs + byMs,
    },
    servedOther: state.servedOther && {
      sinceMs: state.servedOther.sinceMs + byMs,
      lastMs: state.servedOther.lastMs + byMs,
    },
    conditions: state.conditions.map(condition => ({ ...condition, sinceMs: condition.sinceMs + byMs })),
    actuations: Object.fromEntries(
      Object.entries(waitingShifted(state, byMs)).map(([stage, actuation]) => [
        stage,
        { ...actuation, stuckUntilMs: actuation.stuckUntilMs + byMs },
      ]),
    ),
  };
}

function waitingShifted(state: ControlState, byMs: number): ControlState["actuations"] {
  return Object.fromEntries(
    Object.entries(state.actuations).map(([stage, actuation]) => {
      const waitingSinceMs = shiftedTime(actuation.waitingSinceMs, byMs);
      const growth = actuation.growth.map(step => ({ ...step, atMs: step.atMs + byMs }));
      return [stage, { ...actuation, waitingSinceMs, growth }];
    }),
  );
}

function missingShifted({ missing }: ControlState, byMs: number): ControlState["missing"] {
  return missing.map(entry => ({ ...entry, atMs: entry.atMs + byMs }));
}

function shiftedTime(atMs: number | null, byMs: number): number | null {
  return atMs === null ? null : atMs + byMs;
}
