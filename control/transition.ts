import type { Assignment } from "../domain/assignment.ts";
import type { Stage } from "../domain/pipeline.ts";
import type { Reason } from "../domain/plan.ts";
import { type ReachableCount, reachableCount } from "../optimizer/reachable-count.ts";
import { asking, initialActuation } from "./actuation.ts";
import { type AssignmentIssuer, assignmentIssuer, NEWCOMER } from "./assignments/assignment-issuer.ts";
import type { StageBoard } from "./board.ts";
import type { ControlState } from "./control-state.ts";
import { excludedVariants, keepPossiblePins } from "./excluded.ts";
import { type Move, planMoves } from "./moves.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

export interface Transition {
  readonly stages: readonly StageBoard[];
  readonly reasons: readonly Reason[];
  readonly state: Pick<ControlState, "assignments" | "counter" | "actuations">;
}

/**
 * Moves every stage towards its goal. Replicas are made before they are broken: those that are planned no more are given back only when the others
 * serve what is planned with fewer. In shadow mode nothing moves.
 */
export function transition(state: ControlState, input: TickInput, nowMs: number): Transition {
  const excluded = excludedVariants(state, input.pipeline, nowMs);
  const pins = keepPossiblePins(input.pins, excluded);
  const moves = state.plan ? planMoves(state, input, state.plan, pins) : {};
  const issuer = assignmentIssuer(state, input, { pins, excluded });
  const reasons = new Set<Reason>();
  const actuations: Record<string, ControlState["actuations"][string]> = {};
  const stages = input.pipeline.stages.map((stage): StageBoard => {
    const replicasReady = readyCount(input, stage);
    const actuation = state.actuations[stage.name] ?? initialActuation(Math.max(stage.replicas.min, replicasReady));
    const move = moves[stage.name];
    const stepped = replicasFor(input, stage, actuation.replicas, replicasReady, move);
    const { metricValue, replicas } = reached(input, stage, stepped.replicas);
    if (stepped.reason) reasons.add(stepped.reason);
    if (replicas !== stepped.replicas || metricValue !== replicas) reasons.add("hpa_tolerance");
    actuations[stage.name] = asking(actuation, replicas, nowMs);
    return {
      stage: stage.name,
      replicasNow: replicas,
      metricValue,
      replicasGoal: move?.goalReplicas ?? stepped.replicas,
      replicasReady,
      active: replicas > 0,
      ...(move && input.mode === "active"
        ? { ...assigned(issuer, stage, viewsOf(input, stage), move), ...(move.voters && { voters: move.voters }) }
        : { assignments: new Map(), newcomer: null }),
    };
  });
  return { stages, reasons: [...reasons], state: { actuations, ...issuer.issued() } };
}

function assigned(
  issuer: AssignmentIssuer,
  stage: Stage,
  views: readonly SwitcherView[],
  move: Move,
): Pick<StageBoard, "assignments" | "newcomer"> {
  const { isTried, choosePart, newcomer } = move;
  const assignments = new Map<string, Assignment>(
    views.map(view => [view.pod, issuer.issue(stage, view.pod, { top: choosePart(view), isTried })]),
  );
  return { assignments, newcomer: issuer.issue(stage, NEWCOMER, { top: newcomer, isTried }) };
}

function viewsOf(input: TickInput, stage: Stage): readonly SwitcherView[] {
  return input.switchers.filter(view => view.stage === stage.name);
}

/** Connected switchers that are ready; the Deployment's count where none ever connected. */
export function readyCount(input: TickInput, stage: Stage): number {
  const views = viewsOf(input, stage);
  return views.length > 0 ? views.filter(view => view.ready).length : (input.readyReplicas[stage.name] ?? 0);
}

/** What the live HPA can be brought to for `replicas`, within the bounds of the file and of the HPA. */
function reached(input: TickInput, stage: Stage, replicas: number): ReachableCount {
  const live = input.bounds[stage.name];
  return reachableCount(
    replicas,
    Math.min(stage.replicas.max, live?.max ?? stage.replicas.max),
    input.scaling[stage.name],
  );
}

/** What there should be now, and why it is not the goal. */
function replicasFor(
  input: TickInput,
  stage: Stage,
  now: number,
  ready: number,
  move: Move | undefined,
): { readonly replicas: number; readonly reason: Reason | null } {
  if (input.mode === "shadow") {
    // Replicas that are not ready yet are there all the same: to say less would take them away.
    const there = input.scaling[stage.name]?.current ?? (ready > 0 ? ready : now);
    return { replicas: there, reason: "shadow" };
  }
  const { max } = stage.replicas;
  if (!move) return { replicas: Math.min(now, max), reason: null };
  const { goalReplicas } = move;
  if (goalReplicas > now) {
    // The step guards against a plan that is wrong; what an operator fixed is given.
    if (input.pins.some(pin => pin.stage === stage.name && pin.replicas !== null))
      return { replicas: goalReplicas, reason: null };
    const most = Math.max(2 * ready, ready + SETTINGS.stepReplicas, now);
    return { replicas: Math.min(goalReplicas, most), reason: goalReplicas > most ? "capped_step" : null };
  }
  if (goalReplicas < now && goalReplicas > 0 && !move.isSettled)
    return { replicas: Math.min(now, max), reason: "make_before_break" };
  return { replicas: Math.min(goalReplicas, max), reason: null };
}
