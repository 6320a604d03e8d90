import type { Assignment } from "../domain/assignment.ts";
import { mainPart, type Part, replicasOf } from "../domain/configuration.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import type { Plan, Reason } from "../domain/plan.ts";
import { initialActuation } from "./actuation.ts";
import type { StageBoard } from "./board.ts";
import { lightestVariant, replicaRps, stageRates } from "./capacity.ts";
import { type ControlState, podKey } from "./control-state.ts";
import { excludedVariants } from "./quarantine.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

export interface Transition {
  readonly stages: readonly StageBoard[];
  readonly reasons: readonly Reason[];
  readonly state: Pick<ControlState, "assignments" | "counter" | "actuations">;
}

/**
 * Make-before-break: moves every stage towards its goal without ever having less capacity than the demand that was planned for.
 * Lighter variants are assigned at once and replicas are given back only when they are served; heavier variants are assigned pod
 * by pod, as far as the capacity that remains allows.
 */
export function transition(state: ControlState, input: TickInput, nowMs: number): Transition {
  const { pipeline } = input;
  const reasons = new Set<Reason>();
  const moves = state.plan ? movesOf(state, input, state.plan, reasons) : {};
  let counter = state.epoch === input.epoch ? state.counter : 0;
  const known = state.epoch === input.epoch ? state.assignments : {};
  const assignments: Record<string, Assignment> = {};
  const actuations: Record<string, ControlState["actuations"][string]> = {};
  const excluded = excludedVariants(state.quarantines, nowMs);
  const stages = pipeline.stages.map(stage => {
    const views = viewsOf(input, stage);
    const replicasReady = readyCount(input, stage);
    const actuation = state.actuations[stage.name] ?? initialActuation(Math.max(stage.replicas.min, replicasReady));
    const move = moves[stage.name];
    const replicasNow = replicasFor(input, stage, actuation.replicas, replicasReady, move, reasons);
    actuations[stage.name] = { ...actuation, replicas: replicasNow };
    const base = {
      stage: stage.name,
      replicasNow,
      replicasGoal: move?.goalReplicas ?? replicasNow,
      replicasReady,
      active: replicasNow > 0,
    };
    if (!move || input.mode === "shadow") return { ...base, assignments: {}, newcomer: null };
    const issue = (part: Part, before: Assignment | undefined): Assignment => {
      const content = contentOf(pipeline, stage, part, excluded[stage.name] ?? [], state.decisionId ?? "");
      if (before && isSameContent(before, content)) return before;
      counter += 1;
      return { ...content, version: { epoch: input.epoch, counter } };
    };
    const byPod: Record<string, Assignment> = {};
    for (const view of views) {
      const key = podKey(stage.name, view.pod);
      const assignment = issue(move.partOf(view), known[key]);
      assignments[key] = assignment;
      byPod[view.pod] = assignment;
    }
    const newcomerKey = podKey(stage.name, "");
    const newcomer = issue(move.newcomer, known[newcomerKey]);
    assignments[newcomerKey] = newcomer;
    return { ...base, assignments: byPod, newcomer };
  });
  return { stages, reasons: [...reasons], state: { assignments, counter, actuations } };
}

function viewsOf(input: TickInput, stage: Stage): readonly SwitcherView[] {
  return input.switchers.filter(view => view.stage === stage.name);
}

/** Connected switchers that are ready; the Deployment's count where none ever connected. */
export function readyCount(input: TickInput, stage: Stage): number {
  const views = viewsOf(input, stage);
  return views.length > 0 ? views.filter(view => view.ready).length : (input.readyReplicas[stage.name] ?? 0);
}

/** Where one stage goes to. */
interface Move {
  readonly goalReplicas: number;
  readonly partOf: (view: SwitcherView) => Part;
  readonly newcomer: Part;
  /** Every ready switcher serves the goal, so that replicas may be given back. */
  readonly settled: boolean;
}

function movesOf(state: ControlState, input: TickInput, plan: Plan, reasons: Set<Reason>): Record<string, Move> {
  const rates = stageRates(input.pipeline, plan.rateRps - plan.shedRps, stage => {
    const planned = plan.stages.find(other => other.stage === stage);
    return planned ? (mainPart(planned)?.variant ?? null) : null;
  });
  const stages = input.pipeline.stages.flatMap(stage => {
    const planned = plan.stages.find(other => other.stage === stage.name);
    const goal = planned && mainPart(planned);
    if (!planned || !goal) return [];
    const guarded = state.guard?.configuration[stage.name];
    const target = (guarded && mainPart(guarded)) ?? goal;
    const views = viewsOf(input, stage).filter(view => view.pin === null);
    return [
      {
        stage,
        goalReplicas: replicasOf(planned),
        goal,
        target,
        guarded: guarded !== undefined,
        views,
        rps: rpsOf(state, stage),
      },
    ];
  });
  // Replicas that share one machine make room before they take it: no stage gets heavier while another still has to get lighter.
  const lighterPending =
    input.limits.machineCores !== null &&
    stages.some(({ views, target, rps }) =>
      views.some(view => rps(view.variant, view.batch) < 0.999 * rps(target.variant, target.batch)),
    );
  const moves: Record<string, Move> = {};
  for (const entry of stages) {
    const { stage, goalReplicas, goal, target, guarded, views, rps } = entry;
    const needRps = (rates[stage.name] ?? 0) / input.pipeline.objective.utilisation;
    const heavier = guarded ? null : allowedHeavier(views, target, rps, needRps, lighterPending);
    const settled = !guarded && views.every(view => !view.ready || view.variant === goal.variant);
    if (
      heavier &&
      views.some(
        view =>
          view.variant !== target.variant &&
          !heavier.has(view.pod) &&
          rps(view.variant, view.batch) > rps(target.variant, target.batch),
      )
    ) {
      reasons.add("make_before_break");
    }
    moves[stage.name] = {
      goalReplicas,
      settled,
      newcomer: target,
      partOf: view => {
        const isHeavier =
          rps(view.variant, view.batch) > 1.001 * rps(target.variant, target.batch) && view.variant !== target.variant;
        if (!heavier || !isHeavier || heavier.has(view.pod)) return target;
        return { variant: view.variant, batch: view.batch, replicas: 1, share: 1 };
      },
    };
  }
  return moves;
}

function rpsOf(state: ControlState, stage: Stage): (variant: string, batch: number) => number {
  return (variant, batch) => replicaRps(stage, variant, batch, state.corrections[stage.name] ?? 1);
}

/** The pods that may go to a heavier target now: as many as leave enough capacity. */
function allowedHeavier(
  views: readonly SwitcherView[],
  target: Part,
  rps: (variant: string, batch: number) => number,
  needRps: number,
  wait: boolean,
): ReadonlySet<string> {
  const allowed = new Set<string>();
  if (wait) return allowed;
  const targetRps = rps(target.variant, target.batch);
  let capacityRps = 0;
  for (const view of views) if (view.ready) capacityRps += rps(view.variant, view.batch);
  for (const view of [...views].sort((a, b) => (a.pod < b.pod ? -1 : 1))) {
    if (view.variant === target.variant) continue;
    const after = view.ready ? capacityRps - rps(view.variant, view.batch) + targetRps : capacityRps;
    if (view.ready && after < needRps * 0.999) continue;
    allowed.add(view.pod);
    capacityRps = after;
  }
  return allowed;
}

function replicasFor(
  input: TickInput,
  stage: Stage,
  now: number,
  ready: number,
  move: Move | undefined,
  reasons: Set<Reason>,
): number {
  if (input.mode === "shadow") {
    reasons.add("shadow");
    return ready > 0 ? ready : now;
  }
  if (!move) return now;
  const { goalReplicas } = move;
  if (goalReplicas > now) {
    const most = Math.max(2 * ready, ready + SETTINGS.stepReplicas, now);
    if (goalReplicas > most) reasons.add("capped_step");
    return Math.min(goalReplicas, most);
  }
  if (goalReplicas < now && goalReplicas > 0 && !move.settled) {
    reasons.add("make_before_break");
    return now;
  }
  return Math.min(goalReplicas, stage.replicas.max);
}

function contentOf(
  pipeline: Pipeline,
  stage: Stage,
  part: Part,
  excluded: readonly string[],
  decisionId: string,
): Omit<Assignment, "version"> {
  const { latencyMs } = pipeline.slo;
  return {
    variant: part.variant,
    batch: part.batch,
    // On CPU a wait for a fuller batch is almost pure latency: batches form by themselves when there is a queue.
    maxWaitMs: 0,
    // A stage that is to serve one variant must not protect itself by another.
    fallbackVariant: pipeline.objective.policy === "static" ? part.variant : lightestVariant(stage, excluded),
    overload: {
      enterQueueMs: latencyMs * SETTINGS.overloadEnterShare,
      exitQueueMs: latencyMs * SETTINGS.overloadExitShare,
      dwellMs: latencyMs * SETTINGS.overloadDwellShare,
    },
    decisionId,
  };
}

function isSameContent(a: Assignment, b: Omit<Assignment, "version">): boolean {
  return (
    a.variant === b.variant &&
    a.batch === b.batch &&
    a.maxWaitMs === b.maxWaitMs &&
    a.fallbackVariant === b.fallbackVariant &&
    a.overload.enterQueueMs === b.overload.enterQueueMs
  );
}
