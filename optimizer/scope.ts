import { mainPart } from "../domain/configuration.ts";
import { isRate, MAX_RATE_RPS } from "../domain/load.ts";
import { fanOutOf, type Stage, type Variant } from "../domain/pipeline.ts";
import { type AccuracyModel, accuracyOf } from "./accuracy.ts";
import type { Problem, StagePin } from "./problem.ts";
import { type ServiceTime, serviceTimeOf } from "./service-time.ts";
import { CELLS } from "./wait-distribution.ts";

export interface ScopeVariant {
  readonly name: string;
  readonly service: ServiceTime;
  /** Batch sizes to choose from. */
  readonly batches: readonly number[];
  /** Rows per ms of one replica with its best batch size. */
  readonly capacity: number;
}

export interface ScopeStage {
  readonly stage: Stage;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  /** Replicas that are pinned; null: free. */
  readonly pinnedReplicas: number | null;
  /** Variants to choose from; never empty. */
  readonly variants: readonly ScopeVariant[];
  /** False: no variant may be used or was profiled, and `variants` is what is served all the same. */
  readonly plannable: boolean;
  /** What is served now; null: nothing, or not known. */
  readonly currentVariant: string | null;
}

/** A Problem with everything that the search needs looked up. */
export interface Scope {
  readonly problem: Problem;
  readonly stages: readonly ScopeStage[];
  readonly rateRps: number;
  /** Latency that the stages may take together. */
  readonly sloMs: number;
  /** Step of the grid that latencies are computed on. */
  readonly stepMs: number;
  readonly maxCores: number;
  readonly maxCostPerHour: number;
  readonly accuracy: AccuracyModel;
}

export function scopeOf(problem: Problem): Scope {
  const { pipeline, limits } = problem;
  const rateRps = isRate(problem.rateRps) ? problem.rateRps : problem.rateRps > 0 ? MAX_RATE_RPS : 0;
  const sloMs = pipeline.slo.latencyMs - pipeline.overhead.latencyMs;
  return {
    problem,
    stages: pipeline.stages.map(stage => scopeStage(problem, stage, rateRps)),
    rateRps,
    sloMs,
    stepMs: Math.max(1e-3, sloMs) / CELLS,
    maxCores: Math.min(
      limits.cores ?? Number.POSITIVE_INFINITY,
      pipeline.objective.maxCores ?? Number.POSITIVE_INFINITY,
    ),
    maxCostPerHour: pipeline.objective.maxCostPerHour ?? Number.POSITIVE_INFINITY,
    accuracy: accuracyOf(pipeline),
  };
}

/** The same problem for the part of the load that can be served. */
export function atRate(scope: Scope, rateRps: number): Scope {
  return { ...scope, rateRps };
}

/** Cores that the stages' work may take on a shared machine, without the gateway's own. */
export function workLimit(scope: Scope): number {
  const { limits, pipeline } = scope.problem;
  if (limits.machineCores === null) return Number.POSITIVE_INFINITY;
  return pipeline.objective.utilisation * limits.machineCores - (scope.rateRps * pipeline.overhead.cpuMs) / 1000;
}

/**
 * Replicas of a stage that make progress at the same time: on a shared machine no more than it has cores for. That the stages
 * take cores from each other is not modelled beyond the limit on their work; what it costs is in the measured corrections.
 */
export function workingReplicas(scope: Scope, stage: Stage, replicas: number): number {
  const { machineCores } = scope.problem.limits;
  return machineCores === null ? replicas : Math.min(replicas, Math.max(1, machineCores / stage.cores));
}

/** Rows of stage `index` for each row of the stage before it, which serves `upstreamVariant`. */
export function fanOutAt(scope: Scope, index: number, upstreamVariant: string | null): number {
  const stage = scope.stages[index]?.stage;
  return stage ? fanOutOf(stage, upstreamVariant) : 1;
}

function scopeStage(problem: Problem, stage: Stage, rateRps: number): ScopeStage {
  const pins = problem.pins.filter(pin => pin.stage === stage.name);
  const [minReplicas, maxReplicas] = boundsOf(problem, stage, rateRps);
  const replicas = pins.find(pin => pin.replicas !== null)?.replicas ?? null;
  const usable = usableVariants(problem, stage, pins).flatMap(variant => scopeVariant(problem, stage, variant, pins));
  const current = problem.current?.[stage.name];
  return {
    stage,
    minReplicas,
    maxReplicas,
    pinnedReplicas: replicas === null ? null : Math.min(maxReplicas, Math.max(minReplicas, Math.floor(replicas))),
    variants: usable.length > 0 ? usable : [fallback(problem, stage, pins)],
    plannable: usable.length > 0,
    currentVariant: (current && mainPart(current)?.variant) ?? null,
  };
}

function boundsOf(problem: Problem, stage: Stage, rateRps: number): [number, number] {
  const bounds = problem.bounds[stage.name];
  const max = Math.max(0, Math.floor(Math.min(stage.replicas.max, bounds?.max ?? stage.replicas.max)));
  const min = Math.max(stage.replicas.min, Math.ceil(bounds?.min ?? 0), rateRps > 0 ? 1 : 0);
  return [Math.min(min, max), max];
}

function usableVariants(problem: Problem, stage: Stage, pins: readonly StagePin[]): Variant[] {
  const pinned = pins.find(pin => pin.variant !== null)?.variant;
  const only = pinned ?? (problem.pipeline.objective.policy === "static" ? stage.defaultVariant : undefined);
  const excluded = problem.excluded[stage.name] ?? [];
  return stage.variants.filter(
    variant => !excluded.includes(variant.name) && (only === undefined || variant.name === only),
  );
}

/** A stage's variant by name; null: it is unknown or was not profiled. */
export function variantOf(problem: Problem, stage: Stage, name: string): ScopeVariant | null {
  const variant = stage.variants.find(candidate => candidate.name === name);
  return (variant && scopeVariant(problem, stage, variant, [])[0]) ?? null;
}

function scopeVariant(problem: Problem, stage: Stage, variant: Variant, pins: readonly StagePin[]): ScopeVariant[] {
  if (!variant.profile || variant.profile.points.length === 0) return [];
  const service = serviceTimeOf(variant.profile, problem.corrections[stage.name] ?? 1);
  const pinned = pins.find(pin => pin.batch !== null)?.batch;
  const batches = pinned ? [Math.max(1, Math.floor(pinned))] : variant.profile.points.map(point => point.batch);
  const capacity = Math.max(...batches.map(batch => batch / service.meanMs(batch)));
  return [{ name: variant.name, service, batches, capacity }];
}

/** What a stage serves that can't be planned: its capacity is not known, and nothing is predicted of it. */
function fallback(problem: Problem, stage: Stage, pins: readonly StagePin[]): ScopeVariant {
  const excluded = problem.excluded[stage.name] ?? [];
  const pinned = pins.find(pin => pin.variant !== null && !excluded.includes(pin.variant))?.variant;
  const byName = (name: string | undefined) => stage.variants.find(variant => variant.name === name);
  const served = byName(pinned ?? undefined) ?? byName(stage.defaultVariant);
  const [planned] = served ? scopeVariant(problem, stage, served, pins) : [];
  return planned ?? unprofiled(served?.name ?? stage.defaultVariant);
}

/** Stands for a variant without a profile: no latency, no limit of capacity. */
export function unprofiled(name: string): ScopeVariant {
  return { name, service: { meanMs: () => 1e-6, scv: () => 0 }, batches: [1], capacity: Number.POSITIVE_INFINITY };
}
