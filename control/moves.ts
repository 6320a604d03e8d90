import { doesVote, mainPart, type Part, replicasOf } from "../domain/configuration.ts";
import type { Stage } from "../domain/pipeline.ts";
import type { Plan, StagePlan } from "../domain/plan.ts";
import { isServedFixed } from "./assignments/rungs.ts";
import { replicaRps, stageRates } from "./capacity.ts";
import { type ControlState, podKey } from "./control-state.ts";
import { distributed } from "./part-distribution.ts";
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
  /** A trial serves in the place of the plan: no lighter variant may serve. */
  readonly isTried: boolean;
  /** Every ready switcher serves the goal, so that replicas may be given back. */
  readonly settled: boolean;
  /** Switchers keep lighter variants until the capacity for heavier ones is there, where they serve one variant each. */
  readonly waits: boolean;
  /** The variant that each pod stands for in the stage's vote; null: one replica serves a row. */
  readonly voters: Readonly<Record<string, string>> | null;
}

/** A stage as it is, and what its switchers are to serve. */
interface Standing {
  readonly stage: Stage;
  readonly goalReplicas: number;
  /** One, or those that vote. */
  readonly goal: readonly Part[];
  /** A switcher serves its part of the goal, or for a while a trial in its place. */
  readonly targetOf: (view: SwitcherView) => Part;
  readonly newcomer: Part;
  readonly isAside: boolean;
  /** Replicas serve the planned variant alone, so that it must not be heavier than they have capacity for. */
  readonly isFixed: boolean;
  /** Those that obey: without an admin endpoint's pin. */
  readonly views: readonly SwitcherView[];
  readonly rps: (part: Pick<Part, "variant" | "batch">) => number;
}

/**
 * The moves of a plan's stages, by stage. Variants change at once; where replicas serve one variant each, heavier ones pod by pod, as far as the
 * capacity that remains allows.
 */
export function movesOf(state: ControlState, input: TickInput, plan: Plan): Readonly<Record<string, Move>> {
  const standings = input.pipeline.stages.flatMap(stage => {
    const planned = plan.stages.find(other => other.stage === stage.name);
    return planned ? standingOf(state, input, stage, planned) : [];
  });
  const variants = new Map(standings.map(({ stage, goal }) => [stage.name, goal[0]?.variant]));
  const ratesAt = (rateRps: number) => stageRates(input.pipeline, rateRps, stage => variants.get(stage) ?? null);
  const servedRps = plan.rateRps - plan.shedRps;
  const rates = ratesAt(servedRps);
  const ratesNow = ratesAt(Math.max(servedRps, input.forecast?.reactiveRps ?? 0));
  // Replicas that share one machine make room before they take it: no stage gets heavier while another still has to get lighter.
  const waitForRoom = input.limits.machineCores !== null && standings.some(mustGetLighter);
  const { utilisation } = input.pipeline.objective;
  return Object.fromEntries(
    standings.map(standing => {
      const { name } = standing.stage;
      const move = moveOf(standing, (rates[name] ?? 0) / utilisation, waitForRoom);
      // Own fields before those of a spread: see CONTRIBUTING.md.
      return [name, { voters: votersOf(standing, ratesNow[name] ?? 0), ...move }];
    }),
  );
}

function standingOf(state: ControlState, input: TickInput, stage: Stage, planned: StagePlan): Standing[] {
  const main = mainPart(planned);
  const aside = state.trial?.configuration[stage.name];
  const inPlace = aside && mainPart(aside);
  const goalReplicas = replicasOf(planned);
  const goal = doesVote(planned) ? planned.parts : main ? [{ ...main, replicas: goalReplicas }] : [];
  const views = input.switchers.filter(view => view.stage === stage.name && view.pin === null);
  const told = (pod: string) => state.assignments[podKey(stage.name, pod)]?.top;
  const distribution = distributed(inPlace ? [inPlace] : goal, views, told);
  if (!distribution) return [];
  const correction = state.corrections[stage.name] ?? 1;
  return [
    {
      stage,
      goalReplicas,
      goal,
      targetOf: distribution.partOf,
      newcomer: distribution.newcomer,
      isAside: aside !== undefined,
      isFixed: isServedFixed(input.pipeline, input.pins, stage.name),
      views,
      rps: part => replicaRps(stage, part.variant, part.batch, correction),
    },
  ];
}

/** A ready switcher serves what is heavier than its target; one that serves what nobody knows says nothing. */
function mustGetLighter({ views, targetOf, rps }: Standing): boolean {
  return views.some(view => view.ready && rps(view) > 0 && isLess(rps(view), rps(targetOf(view))));
}

function moveOf(standing: Standing, needRps: number, waitForRoom: boolean): Omit<Move, "voters"> {
  const { views, targetOf, isAside, isFixed, rps } = standing;
  const mustGetHeavier = (view: SwitcherView) =>
    view.variant !== targetOf(view).variant && isLess(rps(targetOf(view)), rps(view));
  // A trial is of what the ready replicas can take, and with a ladder they serve lighter variants where they must: there is nothing to wait for.
  const allowed = isAside || !isFixed ? null : waitForRoom ? new Set<string>() : allowedHeavier(standing, needRps);
  const mustWait = (view: SwitcherView) => allowed !== null && mustGetHeavier(view) && !allowed.has(view.pod);
  return {
    goalReplicas: standing.goalReplicas,
    newcomer: standing.newcomer,
    isTried: isAside,
    settled: !isAside && isServed(standing),
    waits: views.some(mustWait),
    partOf: view =>
      mustWait(view) ? { variant: view.variant, batch: view.batch, replicas: 1, share: 1 } : targetOf(view),
  };
}

/** Every ready switcher serves its part of the goal, and no voter lacks a replica. */
function isServed({ views, goal, targetOf, rps }: Standing): boolean {
  const ready = views.filter(view => view.ready);
  const serves = (view: SwitcherView, part: Part) => view.variant === part.variant && !isLess(rps(view), rps(part));
  const hasAll = (part: Part) => ready.filter(view => serves(view, part)).length >= part.replicas;
  return ready.every(view => serves(view, targetOf(view))) && (goal.length < 2 || goal.every(hasAll));
}

/**
 * Those that vote now, by pod: the parts of the goal whose ready replicas serve it and have the capacity for every row, two at least. What has
 * not would only make rows wait for its votes. Null: any replica serves a row.
 */
function votersOf({ views, goal, targetOf, isAside, rps }: Standing, rowsRps: number): Move["voters"] {
  if (isAside || goal.length < 2) return null;
  const serving = views.filter(view => view.ready && view.variant === targetOf(view).variant);
  const able = goal.filter(({ variant }) => {
    const capacityRps = serving.reduce((sum, view) => (view.variant === variant ? sum + rps(view) : sum), 0);
    return capacityRps > 0 && !isLess(capacityRps, rowsRps);
  });
  if (able.length < 2) return null;
  const pods = serving.filter(({ variant }) => able.some(part => part.variant === variant));
  return Object.fromEntries(pods.map(({ pod, variant }) => [pod, variant]));
}

/** The pods that may go to a heavier target now: as many as leave enough capacity. */
function allowedHeavier({ views, targetOf, rps }: Standing, needRps: number): ReadonlySet<string> {
  const allowed = new Set<string>();
  const others = views.filter(view => view.variant !== targetOf(view).variant);
  if (others.length === 0) return allowed;
  let capacityRps = 0;
  for (const view of views) if (view.ready) capacityRps += rps(view);
  for (const view of others.toSorted((a, b) => (a.pod < b.pod ? -1 : 1))) {
    const target = targetOf(view);
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
