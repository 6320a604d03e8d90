import { mainPart, type Part, replicasOf } from "../domain/configuration.ts";
import type { Stage } from "../domain/pipeline.ts";
import type { Plan, StagePlan } from "../domain/plan.ts";
import { replicaRps, stageRates } from "./capacity.ts";
import type { ControlState } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

/** Where one stage goes to. */
export interface Move {
  readonly goalReplicas: number;
  /** What a switcher must serve now. */
  readonly partOf: (view: SwitcherView) => Part;
  /** What a switcher that connects must serve. */
  readonly newcomer: Part;
  /** Every ready switcher serves the goal, so that replicas may be given back. */
  readonly settled: boolean;
  /** Switchers keep lighter variants until the capacity for heavier ones is there. */
  readonly waits: boolean;
}

/** A stage as it is, and what its switchers are to serve. */
interface Standing {
  readonly stage: Stage;
  readonly goalReplicas: number;
  readonly goal: Part;
  /** The goal, or what the guard chose in its place. */
  readonly target: Part;
  readonly isGuarded: boolean;
  /** Those that obey: without an admin endpoint's pin. */
  readonly views: readonly SwitcherView[];
  readonly rps: (part: Pick<Part, "variant" | "batch">) => number;
}

/** The moves of a plan's stages, by stage: lighter variants at once, heavier ones pod by pod, as far as the capacity that remains allows. */
export function movesOf(state: ControlState, input: TickInput, plan: Plan): Readonly<Record<string, Move>> {
  const standings = input.pipeline.stages.flatMap(stage => {
    const planned = plan.stages.find(other => other.stage === stage.name);
    return planned ? standingOf(state, input, stage, planned) : [];
  });
  const variants = new Map(standings.map(({ stage, goal }) => [stage.name, goal.variant]));
  const rates = stageRates(input.pipeline, plan.rateRps - plan.shedRps, stage => variants.get(stage) ?? null);
  // Replicas that share one machine make room before they take it: no stage gets heavier while another still has to get lighter.
  const waitForRoom = input.limits.machineCores !== null && standings.some(mustGetLighter);
  const { utilisation } = input.pipeline.objective;
  return Object.fromEntries(
    standings.map(standing => {
      const needRps = (rates[standing.stage.name] ?? 0) / utilisation;
      return [standing.stage.name, moveOf(standing, needRps, waitForRoom)];
    }),
  );
}

function standingOf(state: ControlState, input: TickInput, stage: Stage, planned: StagePlan): Standing[] {
  const goal = mainPart(planned);
  if (!goal) return [];
  const guarded = state.guard?.configuration[stage.name];
  const correction = state.corrections[stage.name] ?? 1;
  return [
    {
      stage,
      goalReplicas: replicasOf(planned),
      goal,
      target: (guarded && mainPart(guarded)) ?? goal,
      isGuarded: guarded !== undefined,
      views: input.switchers.filter(view => view.stage === stage.name && view.pin === null),
      rps: part => replicaRps(stage, part.variant, part.batch, correction),
    },
  ];
}

/** A ready switcher serves what is heavier than the target; one that serves what nobody knows says nothing. */
function mustGetLighter({ views, target, rps }: Standing): boolean {
  return views.some(view => view.ready && rps(view) > 0 && isLess(rps(view), rps(target)));
}

function moveOf(standing: Standing, needRps: number, waitForRoom: boolean): Move {
  const { views, target, goal, isGuarded, rps } = standing;
  const mustGetHeavier = (view: SwitcherView) => view.variant !== target.variant && isLess(rps(target), rps(view));
  // The guard goes to what the replicas that are ready can take: there is nothing to wait for.
  const allowed = isGuarded ? null : waitForRoom ? new Set<string>() : allowedHeavier(standing, needRps);
  const mustWait = (view: SwitcherView) => allowed !== null && mustGetHeavier(view) && !allowed.has(view.pod);
  return {
    goalReplicas: standing.goalReplicas,
    newcomer: target,
    settled:
      !isGuarded &&
      views.every(view => !view.ready || (view.variant === goal.variant && !isLess(rps(view), rps(goal)))),
    waits: views.some(mustWait),
    partOf: view => (mustWait(view) ? { variant: view.variant, batch: view.batch, replicas: 1, share: 1 } : target),
  };
}

/** The pods that may go to a heavier target now: as many as leave enough capacity. */
function allowedHeavier({ views, target, rps }: Standing, needRps: number): ReadonlySet<string> {
  const allowed = new Set<string>();
  let capacityRps = 0;
  for (const view of views) if (view.ready) capacityRps += rps(view);
  for (const view of views.toSorted((a, b) => (a.pod < b.pod ? -1 : 1))) {
    if (view.variant === target.variant) continue;
    const afterRps = view.ready ? capacityRps - rps(view) + rps(target) : capacityRps;
    if (view.ready && isLess(afterRps, needRps)) continue;
    allowed.add(view.pod);
    capacityRps = afterRps;
  }
  return allowed;
}

/** Less by more than what rounding and corrections make of equal capacities. */
function isLess(rps: number, thanRps: number): boolean {
  return rps < (1 - SETTINGS.capacityTolerance) * thanRps;
}
