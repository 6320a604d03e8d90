import type { Assignment } from "../../domain/assignment.ts";
import { mainPart } from "../../domain/configuration.ts";
import type { Stage } from "../../domain/pipeline.ts";
import { findMainVariants } from "../../domain/plan.ts";
import {
  chooseRungs,
  findBelowFloor,
  hasOneRung,
  leastBatchMs,
  type PlannedTop,
  type Rungs,
  serveAlone,
} from "../../optimizer/mix/rungs.ts";
import type { StagePin } from "../../optimizer/problem.ts";
import { stageRates } from "../capacity.ts";
import { type ControlState, podKey } from "../control-state.ts";
import { SETTINGS } from "../settings.ts";
import type { TickInput } from "../tick-input.ts";
import { type Budgets, shareBudgets } from "./budgets.ts";

/** Stands for every switcher that connects before the next tick; no pod has this name. */
export const NEWCOMER = "";

type Content = Omit<Assignment, "version">;

/** The variant and batch size that a replica is to serve. */
export interface Task {
  readonly top: PlannedTop;
  /** It is tried: lighter variants stay in memory, and none may serve. */
  readonly isTried: boolean;
}

/** The limits of the variants that replicas may serve. */
export interface ServingLimits {
  /** Those that can be followed. */
  readonly pins: readonly StagePin[];
  /** Variants that may not be used now, by stage. */
  readonly excluded: Readonly<Record<string, readonly string[]>>;
}

/** Gives out assignments in one tick: what has not changed since the tick before keeps its version, whatever has gets the next one. */
export interface AssignmentIssuer {
  issue(stage: Stage, pod: string, task: Task): Assignment;
  /** The part of the state that the next tick goes on from. */
  issued(): Pick<ControlState, "assignments" | "counter">;
}

export function assignmentIssuer(state: ControlState, input: TickInput, limits: ServingLimits): AssignmentIssuer {
  const { epoch } = input;
  const isSameEpoch = state.epoch === epoch;
  const known = isSameEpoch ? state.assignments : {};
  const contentFor = contentMaker(state, input, limits);
  const assignments: Record<string, Assignment> = {};
  let counter = isSameEpoch ? state.counter : 0;
  // Nearly all switchers of a stage are to serve the same.
  const contents = new Map<string, Content>();
  const contentOnce = (stage: Stage, task: Task): Content => {
    const { top, isTried } = task;
    const key = JSON.stringify([stage.name, top.variant, top.batch, isTried]);
    const content = contents.get(key) ?? contentFor(stage, task);
    contents.set(key, content);
    return content;
  };
  return {
    issue: (stage, pod, task) => {
      const key = podKey(stage.name, pod);
      const content = contentOnce(stage, task);
      const before = known[key];
      const isSame = before !== undefined && isSameContent(before, content);
      if (!isSame) counter += 1;
      const assignment = isSame ? before : { ...content, version: { epoch, counter } };
      assignments[key] = assignment;
      return assignment;
    },
    issued: () => ({ assignments, counter }),
  };
}

/** Makes what replicas are told: their rungs, and their share of the time of a request. */
function contentMaker(
  state: ControlState,
  input: TickInput,
  { pins, excluded }: ServingLimits,
): (stage: Stage, task: Task) => Content {
  const { pipeline } = input;
  const planned = findMainVariants(state.plan);
  const rungsFor = (stage: Stage, { top, isTried }: Task): Rungs => {
    if (hasOneRung(pipeline, pins, stage.name)) return serveAlone(top);
    const chosen = chooseRungs(pipeline, stage, top, { planned, excluded: excluded[stage.name] ?? [] });
    return isTried ? { ...chosen, floor: chosen.top } : chosen;
  };
  let budgets: Readonly<Record<string, Budgets>> | null = null;
  return (stage, task) => {
    budgets ??= budgetsFor(state, input, rungsFor);
    const own = budgets[stage.name] ?? { budgetMs: 0, laterBudgetMs: 0, laterLeastMs: 0 };
    const { serving } = pipeline;
    const chosen = rungsFor(stage, task);
    return {
      ...chosen,
      ...own,
      headroom: serving.headroom,
      shadow: serving.shadow && chosen.top !== chosen.floor,
      // A pin may be to a variant below the floor.
      belowFloor: findBelowFloor(serving, stage).filter(name => chosen.rungs.every(({ variant }) => variant !== name)),
      decisionId: state.decisionId ?? "",
    };
  };
}

function budgetsFor(
  { plan, trial, corrections }: ControlState,
  { pipeline, switchers }: TickInput,
  rungsFor: (stage: Stage, task: Task) => Rungs,
): Readonly<Record<string, Budgets>> {
  const plannedMs = Object.fromEntries((plan?.stages ?? []).map(({ stage, latencyMs }) => [stage, latencyMs]));
  const planned = findMainVariants(plan);
  const rows = stageRates(pipeline, 1, stage => planned[stage] ?? null);
  const leastMs = Object.fromEntries(
    pipeline.stages.map(stage => {
      const tried = trial?.configuration[stage.name];
      const own = tried ?? plan?.stages.find(other => other.stage === stage.name);
      const top = own && mainPart(own);
      const isAlone = tried !== undefined || pipeline.serving.shadow;
      const isLoaded = (variant: string) =>
        switchers.some(view => view.stage === stage.name && view.ready && view.residentVariants.includes(variant));
      const rungs = top && rungsFor(stage, { top, isTried: isAlone });
      const ms = rungs ? leastBatchMs(stage, rungs, rows[stage.name] ?? 1, isLoaded) : 0;
      return [stage.name, ms * (corrections[stage.name] ?? 1)];
    }),
  );
  return shareBudgets(pipeline, plannedMs, leastMs);
}

/** The decision aside, and budgets that moved by little: a switcher that can't tell them apart needs no new assignment. */
function isSameContent(a: Assignment, b: Content): boolean {
  return (
    a.top === b.top &&
    a.floor === b.floor &&
    a.headroom === b.headroom &&
    a.shadow === b.shadow &&
    a.belowFloor.join() === b.belowFloor.join() &&
    a.rungs.length === b.rungs.length &&
    a.rungs.every((rung, i) => rung.variant === b.rungs[i]?.variant && rung.maxBatch === b.rungs[i]?.maxBatch) &&
    isClose(a.budgetMs, b.budgetMs) &&
    isClose(a.laterBudgetMs, b.laterBudgetMs) &&
    isClose(a.laterLeastMs, b.laterLeastMs)
  );
}

function isClose(beforeMs: number, ms: number): boolean {
  return Math.abs(ms - beforeMs) <= SETTINGS.budgetStep * Math.max(beforeMs, ms);
}
