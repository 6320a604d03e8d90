import { doesVote, mainPart, type Part, replicasOf } from "../domain/configuration.ts";
import type { Stage } from "../domain/pipeline.ts";
import type { Plan, StagePlan } from "../domain/plan.ts";
import { findBelowFloor, isServedFixed } from "../optimizer/mix/rungs.ts";
import type { StagePin } from "../optimizer/problem.ts";
import { replicaRps, stageRates } from "./capacity.ts";
import { type ControlState, podKey } from "./control-state.ts";
import { distributeParts } from "./part-distribution.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

/** Where one stage goes to. */
export interface Move {
  readonly goalReplicas: number;
  /** What a switcher must serve now. */
  readonly choosePart: (view: SwitcherView) => Part;
  /** What a switcher that connects must serve. */
  readonly newcomer: Part;
  /** A trial serves in the place of the plan: no lighter variant may serve. */
  readonly isTried: boolean;
  /** Every ready switcher serves the goal, so that replicas may be given back. */
  readonly isSettled: boolean;
  /** The variant that each pod stands for in the stage's vote; null: one replica serves a row. */
  readonly voters: Readonly<Record<string, string>> | null;
}

/** A stage as it is, and what its switchers are to serve. */
interface Standing {
  /** One part, or those that vote. */
  readonly goal: readonly Part[];
  /** The part of the goal that is a switcher's, or for a while a trial's in its place. */
  readonly chooseGoal: (view: SwitcherView) => Part;
  readonly isTried: boolean;
  /** Those that obey: without an admin endpoint's pin. */
  readonly views: readonly SwitcherView[];
  readonly rps: (part: Pick<Part, "variant" | "batch">) => number;
}

/**
 * The moves of a plan's stages, by stage. Variants change at once, as replicas with a ladder serve lighter ones where they must.
 *
 * @param pins those that can be followed.
 */
export function planMoves(
  state: ControlState,
  input: TickInput,
  plan: Plan,
  pins: readonly StagePin[],
): Readonly<Record<string, Move>> {
  const { pipeline, forecast } = input;
  const planned = new Map(plan.stages.map(own => [own.stage, own]));
  const rowsRps = stageRates(
    pipeline,
    Math.max(plan.rateRps - plan.shedRps, forecast?.reactiveRps ?? 0),
    stage => listGoal(planned.get(stage))[0]?.variant ?? null,
  );
  const moves: Record<string, Move> = {};
  for (const stage of pipeline.stages) {
    const own = planned.get(stage.name);
    const served = { isFixed: isServedFixed(pipeline, pins, stage.name), rowsRps: rowsRps[stage.name] ?? 0 };
    const move = own && planMove(state, input, stage, own, served);
    if (move) moves[stage.name] = move;
  }
  return moves;
}

function planMove(
  state: ControlState,
  input: TickInput,
  stage: Stage,
  planned: StagePlan,
  served: { readonly isFixed: boolean; readonly rowsRps: number },
): Move | null {
  const aside = state.trial?.configuration[stage.name];
  const inPlace = aside && mainPart(aside);
  const goal = listGoal(planned);
  const goalReplicas = replicasOf(planned);
  const all = input.switchers.filter(view => view.stage === stage.name);
  const views = all.filter(view => view.pin === null);
  const toldVariant = (pod: string) => state.assignments[podKey(stage.name, pod)]?.top;
  const distribution = distributeParts(inPlace ? [inPlace] : goal, views, toldVariant);
  if (!distribution) return null;
  const isTried = aside !== undefined;
  const correction = state.corrections[stage.name] ?? 1;
  const rps: Standing["rps"] = part => replicaRps(stage, part.variant, part.batch, correction);
  const chooseGoal = distribution.choosePart;
  const standing = { goal, chooseGoal, isTried, views, rps };
  // A replica that serves one variant alone, and gets a heavier one before the replicas that are planned with it are there, loses requests.
  const isShort = served.isFixed && !isTried && all.filter(view => view.ready).length < goalReplicas;
  const belowFloor = findBelowFloor(input.pipeline.serving, stage);
  const mustWait = (view: SwitcherView) =>
    isShort &&
    view.ready &&
    !belowFloor.includes(view.variant) &&
    view.variant !== chooseGoal(view).variant &&
    isLess(rps(chooseGoal(view)), rps(view));
  return {
    goalReplicas,
    newcomer: distribution.newcomer,
    isTried,
    isSettled: !isTried && isServed(standing),
    voters: findVoters(standing, served.rowsRps),
    choosePart: view =>
      mustWait(view) ? { variant: view.variant, batch: view.batch, replicas: 1, share: 1 } : chooseGoal(view),
  };
}

/** The parts of a stage's plan: those that vote, or one part with all replicas; none where nothing is planned. */
function listGoal(planned: StagePlan | undefined): readonly Part[] {
  if (!planned) return [];
  if (doesVote(planned)) return planned.parts;
  const main = mainPart(planned);
  return main ? [{ ...main, replicas: replicasOf(planned) }] : [];
}

/** Every ready switcher serves its part of the goal, and no voter lacks a replica. */
function isServed({ views, goal, chooseGoal, rps }: Standing): boolean {
  const ready = views.filter(view => view.ready);
  const serves = (view: SwitcherView, part: Part) => view.variant === part.variant && !isLess(rps(view), rps(part));
  const hasAll = (part: Part) => ready.filter(view => serves(view, part)).length >= part.replicas;
  return ready.every(view => serves(view, chooseGoal(view))) && (goal.length < 2 || goal.every(hasAll));
}

/**
 * Those that vote now, by pod: the parts of the goal whose ready replicas serve it and have the capacity for every row, two at least. What has
 * not would only make rows wait for its votes. Null: any replica serves a row.
 */
function findVoters({ views, goal, chooseGoal, isTried, rps }: Standing, rowsRps: number): Move["voters"] {
  if (isTried || goal.length < 2) return null;
  const serving = views.filter(view => view.ready && view.variant === chooseGoal(view).variant);
  const able = goal.filter(({ variant }) => {
    const capacityRps = serving.reduce((sum, view) => (view.variant === variant ? sum + rps(view) : sum), 0);
    return capacityRps > 0 && !isLess(capacityRps, rowsRps);
  });
  if (able.length < 2) return null;
  const pods = serving.filter(({ variant }) => able.some(part => part.variant === variant));
  return Object.fromEntries(pods.map(({ pod, variant }) => [pod, variant]));
}

/** Less by more than what rounding and corrections make of equal capacities. */
function isLess(rps: number, thanRps: number): boolean {
  return rps < (1 - SETTINGS.capacityTolerance) * thanRps;
}
