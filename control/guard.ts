import {
  type Configuration,
  doesVote,
  mainPart,
  type Part,
  replicasOf,
  type StageConfiguration,
} from "../domain/configuration.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { configurationOf, type Plan } from "../domain/plan.ts";
import { votesOf } from "../optimizer/composite.ts";
import { isFeasible } from "../optimizer/evaluate.ts";
import { optimize } from "../optimizer/optimize.ts";
import type { Problem } from "../optimizer/problem.ts";
import { batchMs, replicaRps, servedVariant, stageRates } from "./capacity.ts";
import type { ControlState, Guard } from "./control-state.ts";
import { excludedVariants, keepPossiblePins } from "./excluded.ts";
import { SETTINGS } from "./settings.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { TickInput } from "./tick-input.ts";

/**
 * The fast half of the loop: every second, from the switchers' reports alone. When the replicas that are ready can't keep up it
 * takes the best variants that are resident on all of them, at the replicas that are there, until the goal would hold again with
 * headroom. It never waits for a replica or for a load from disk.
 */
export function guardTick(state: ControlState, input: TickInput, nowMs: number): Guard | null {
  const { plan } = state;
  const ready = readyByStage(input);
  if (
    !plan ||
    input.guards === false ||
    input.mode === "shadow" ||
    Object.values(ready).some(views => views.length === 0)
  )
    return null;
  const situation = assess(state, input, plan, ready);
  if (state.guard) {
    const dwelling = nowMs - state.guard.sinceMs < SETTINGS.guardDwellMs;
    if (!dwelling && wouldHold(state, input, plan, ready, situation.rateRps, nowMs)) return null;
    if (!situation.short && !isLeftOut(state.guard, state, input, nowMs)) return state.guard;
  }
  if (!situation.short && !state.guard) return null;
  const best = optimize(atReadyReplicas(state, input, ready, situation.drainRps, nowMs));
  return { sinceMs: state.guard?.sinceMs ?? nowMs, configuration: configurationOf(best) };
}

/** A variant that the guard chose may not be used any more. */
function isLeftOut(guard: Guard, state: ControlState, input: TickInput, nowMs: number): boolean {
  return Object.entries(excludedVariants(state, input.pipeline, nowMs)).some(([stage, excluded]) =>
    guard.configuration[stage]?.parts.some(part => excluded.includes(part.variant)),
  );
}

type ReadyByStage = Readonly<Record<string, readonly SwitcherView[]>>;

function readyByStage(input: TickInput): ReadyByStage {
  return Object.fromEntries(
    input.pipeline.stages.map(stage => [
      stage.name,
      input.switchers.filter(view => view.stage === stage.name && view.ready),
    ]),
  );
}

/** How the ready replicas do with what they serve, at the rate as it is now. */
interface Situation {
  readonly short: boolean;
  /** Entry rate now. */
  readonly rateRps: number;
  /** Entry rate that also drains the backlog. */
  readonly drainRps: number;
}

function assess(state: ControlState, input: TickInput, plan: Plan, ready: ReadyByStage): Situation {
  const { pipeline } = input;
  const { machineCores } = input.limits;
  const rateRps = input.forecast?.reactiveRps ?? 0;
  const goal = configurationOf(plan);
  const rowsPerRequest = stageRates(pipeline, 1, stage => servedVariant(ready[stage] ?? [], goal[stage]));
  const loads = pipeline.stages.map(stage => {
    const rows = rowsPerRequest[stage.name] ?? 0;
    const voters = state.guard ? [] : votersOf(plan, stage);
    return stageLoad(
      stage,
      ready[stage.name] ?? [],
      { rows, voters },
      state.corrections[stage.name] ?? 1,
      machineCores,
    );
  });
  const busiest = Math.max(...loads.map(load => load.workPerRequest / load.replicas));
  const workCores = rateRps * (pipeline.overhead.cpuMs / 1000 + sum(loads.map(load => load.coreSecondsPerRequest)));
  const latencyMs = pipeline.overhead.latencyMs + sum(loads.map(load => load.waitMs + load.serviceMs));
  const backlogRequests = Math.max(...loads.map(load => load.backlogRequests));
  return {
    short:
      rateRps * busiest > SETTINGS.guardUtilisation ||
      workCores > SETTINGS.guardUtilisation * (machineCores ?? Number.POSITIVE_INFINITY) ||
      latencyMs > pipeline.slo.latencyMs,
    rateRps,
    drainRps: rateRps + (1000 * backlogRequests) / SETTINGS.guardDrainMs,
  };
}

/** The parts of a stage that vote; none: it does not vote. */
function votersOf({ stages }: Plan, { name }: Stage): readonly Part[] {
  const planned = stages.find(({ stage }) => stage === name);
  return planned && doesVote(planned) ? planned.parts : [];
}

interface StageLoad {
  readonly replicas: number;
  /** Of all voters together where the stage votes. */
  readonly coreSecondsPerRequest: number;
  /** Seconds that one request keeps replicas of the stage busy. */
  readonly workPerRequest: number;
  /** Until the rows that wait now are served. */
  readonly waitMs: number;
  /** Longest full batch. */
  readonly serviceMs: number;
  readonly backlogRequests: number;
}

function stageLoad(
  stage: Stage,
  views: readonly SwitcherView[],
  { rows, voters }: { readonly rows: number; readonly voters: readonly Part[] },
  correction: number,
  machineCores: number | null,
): StageLoad {
  const capacityRps = sum(views.map(view => replicaRps(stage, view.variant, view.batch, correction)));
  const queuedRows = sum(views.map(view => view.queuedRows));
  // Replicas that share a machine make progress on no more cores than it has.
  const working = Math.min(1, (machineCores ?? Number.POSITIVE_INFINITY) / (views.length * stage.cores));
  const isKnown = capacityRps > 0;
  const workPerRequest = isKnown ? (rows * views.length) / capacityRps : 0;
  const ofVotes = sum(voters.map(part => batchMs(stage, part.variant, part.batch, correction) / part.batch / 1000));
  return {
    replicas: views.length,
    coreSecondsPerRequest: stage.cores * (voters.length > 0 ? rows * ofVotes : workPerRequest),
    // Votes that the replicas have no room for are left out: each row has to be served once.
    workPerRequest,
    waitMs: isKnown ? (1000 * queuedRows) / (capacityRps * working) : 0,
    serviceMs: Math.max(...views.map(view => batchMs(stage, view.variant, view.batch, correction))),
    backlogRequests: isKnown && rows > 0 ? queuedRows / rows : 0,
  };
}

/** Variants that are not resident on every ready switcher of their stage, beside those that may not be used at all. */
function notResident(
  pipeline: Pipeline,
  ready: ReadyByStage,
  leftOut: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly string[]> {
  const excluded: Record<string, readonly string[]> = {};
  for (const stage of pipeline.stages) {
    const views = (ready[stage.name] ?? []).filter(view => view.pin === null);
    excluded[stage.name] = stage.variants
      .map(variant => variant.name)
      .filter(
        name => leftOut[stage.name]?.includes(name) || !views.every(view => view.residentVariants.includes(name)),
      );
  }
  return excluded;
}

function atReadyReplicas(
  state: ControlState,
  input: TickInput,
  ready: ReadyByStage,
  rateRps: number,
  nowMs: number,
): Problem {
  const bounds = Object.fromEntries(
    Object.entries(ready).map(([stage, views]) => [stage, { min: views.length, max: views.length }]),
  );
  const leftOut = excludedVariants(state, input.pipeline, nowMs);
  return {
    pipeline: unboundedReplicas(input.pipeline),
    rateRps,
    current: null,
    corrections: state.corrections,
    excluded: notResident(input.pipeline, ready, leftOut),
    pins: keepPossiblePins(input.pins, leftOut).map(pin => ({ ...pin, replicas: null })),
    limits: { cores: null, machineCores: input.limits.machineCores },
    bounds,
    // Where replicas are short each row is served once.
    combine: {},
  };
}

/** Replicas that are ready count even where the file's bounds no longer allow as many. */
function unboundedReplicas(pipeline: Pipeline): Pipeline {
  const { maxCores: _cores, maxCostPerHour: _cost, minAccuracy: _accuracy, ...objective } = pipeline.objective;
  return {
    ...pipeline,
    objective,
    stages: pipeline.stages.map(stage => ({ ...stage, replicas: { min: 0, max: 10_000 } })),
  };
}

/**
 * Whether the goal's variants would hold at the ready replicas. With all the replicas of the plan, the plan's own reserve is
 * enough; with fewer, there must be headroom for what is still to come.
 */
function wouldHold(
  state: ControlState,
  input: TickInput,
  plan: Plan,
  ready: ReadyByStage,
  rateRps: number,
  nowMs: number,
): boolean {
  const isComplete = plan.stages.every(stage => (ready[stage.stage]?.length ?? 0) >= replicasOf(stage));
  const headroom = isComplete ? 1 : SETTINGS.guardHeadroom;
  const problem = atReadyReplicas(state, input, ready, rateRps * headroom, nowMs);
  const goal: Record<string, Configuration[string]> = {};
  for (const stage of plan.stages) {
    const parts = atReplicas(stage, ready[stage.stage]?.length ?? 0);
    if (parts === null) return false;
    goal[stage.stage] = { parts };
  }
  const combine = plan.stages.some(doesVote) ? votesOf(input.pipeline) : {};
  return isFeasible({ ...problem, excluded: {}, combine }, goal);
}

/** What a stage's parts are with so many replicas; null: they are too few for all that vote. */
function atReplicas(stage: StageConfiguration, replicas: number): readonly Part[] | null {
  const part = mainPart(stage);
  if (!doesVote(stage)) return part ? [{ ...part, replicas, share: 1 }] : [];
  const spare = replicas - replicasOf(stage);
  if (spare < 0) return null;
  return stage.parts.map((one, i) => (i === 0 ? { ...one, replicas: one.replicas + spare } : one));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
