import { mainPart, replicasOf } from "../domain/configuration.ts";
import { isRate, MAX_RATE_RPS } from "../domain/load.ts";
import { fanOutOf, type Pipeline, type Stage, type Variant } from "../domain/pipeline.ts";
import { type AccuracyModel, accuracyOf, withMethod } from "./accuracy.ts";
import { combined, mayCombine, membersOf, votesOf } from "./composite.ts";
import { HPA_TOLERANCE } from "./hpa-replicas.ts";
import { limitOf, numberOr } from "./number-or.ts";
import { POLICIES, type Policy } from "./policies.ts";
import type { Problem, StagePin } from "./problem.ts";
import type { HpaScaling } from "./reachable-count.ts";
import { fallback, type ScopeVariant, scopeVariant } from "./scope-variant.ts";
import { areAllSets, workOf } from "./vote-sets.ts";
import { CELLS } from "./wait-distribution.ts";

export interface ScopeStage {
  readonly stage: Stage;
  /** Index of the stage whose rows its own are counted from; -1: it gets the request itself. */
  readonly upstream: number;
  /** Indices of the stages that must be done before it. */
  readonly after: readonly number[];
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
  readonly currentReplicas: number;
  readonly scaling: HpaScaling | undefined;
  /** Rows per second of other pipelines. */
  readonly othersRps: number;
  /** False: sets of variants that may vote are not among `variants`. */
  readonly isWhole: boolean;
}

/** A Problem with everything that the search needs looked up. */
export interface Scope {
  /** With the policy's weights and utilisation. */
  readonly problem: Problem;
  readonly policy: Policy;
  /** Every stage depends on the one before it and on no other. */
  readonly isChain: boolean;
  readonly stages: readonly ScopeStage[];
  readonly rateRps: number;
  /** Utilisation that an HPA would be given as its target: the file's. */
  readonly hpaTarget: number;
  /** Latency that the stages may take together. */
  readonly sloMs: number;
  /** Step of the grid that latencies are computed on. */
  readonly stepMs: number;
  readonly maxCores: number;
  readonly maxCostPerHour: number;
  readonly accuracy: AccuracyModel;
}

export function scopeOf(given: Problem): Scope {
  const policy = POLICIES[given.pipeline.objective.policy];
  const limits = { cores: limitOf(given.limits.cores), machineCores: limitOf(given.limits.machineCores) };
  const combine = given.combine ?? votesOf(given.pipeline);
  const problem = { ...given, limits, combine, pipeline: combinedFor(given, combine, policy) };
  const { pipeline } = problem;
  const rateRps = isRate(problem.rateRps) ? problem.rateRps : problem.rateRps > 0 ? MAX_RATE_RPS : 0;
  const sloMs = pipeline.slo.latencyMs - pipeline.overhead.latencyMs;
  const stages = pipeline.stages.map(stage => scopeStage(problem, policy, stage, rateRps));
  return {
    problem,
    policy,
    isChain: stages.every(({ after }, s) => (s === 0 ? after.length === 0 : after.length === 1 && after[0] === s - 1)),
    stages,
    rateRps,
    hpaTarget: given.pipeline.objective.utilisation,
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

/** The pipeline as the policy sees it, with what variants can be together where it chooses variants and replicas. */
function combinedFor(
  { pipeline, weights }: Problem,
  combine: NonNullable<Problem["combine"]>,
  policy: Policy,
): Pipeline {
  const own = governed(pipeline, policy, weights);
  return mayCombine(pipeline.objective.policy) && Object.keys(combine).length > 0 ? combined(own, combine) : own;
}

/** The pipeline with the policy's weights, utilisation and accuracy method. */
function governed(pipeline: Pipeline, policy: Policy, weights: Problem["weights"]): Pipeline {
  const { accuracy } = pipeline;
  const { minAccuracy, ...rest } = pipeline.objective;
  const objective = policy.slo === "hard" && minAccuracy !== undefined ? { ...rest, minAccuracy } : rest;
  const isSame = policy.accuracy === null || policy.accuracy === accuracy.method;
  return {
    ...pipeline,
    objective: {
      ...objective,
      weights: weights ?? { ...objective.weights, ...policy.weights },
      utilisation: utilisationOf(policy, objective.utilisation),
    },
    // The accuracy model is remembered by this object: it stays the same one where nothing changes.
    accuracy: isSame ? accuracy : withMethod(accuracy, policy.accuracy ?? accuracy.method),
  };
}

/** With the HPA's formula the file's utilisation is its target, and up to the tolerance above it nothing is done. */
function utilisationOf(policy: Policy, ofFile: number): number {
  const utilisation = policy.utilisation ?? ofFile;
  return policy.replicas === "hpa" ? Math.min(0.99, utilisation * (1 + HPA_TOLERANCE)) : utilisation;
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
export function workingReplicas(scope: Scope, variant: ScopeVariant, replicas: number): number {
  const { machineCores } = scope.problem.limits;
  return machineCores === null ? replicas : Math.min(replicas, Math.max(1, machineCores / variant.cores));
}

/** What so many replicas take from the objective. */
export function replicasPrice(scope: Scope, { stage }: ScopeStage, variant: ScopeVariant, replicas: number): number {
  const { pipeline, prices } = scope.problem;
  const ofCores = (pipeline.objective.weights.cost + (prices?.core ?? 0)) * variant.cores;
  return replicas * (ofCores + (prices?.memoryMiB ?? 0) * stage.memoryMiB);
}

/** Rows of stage `index` for each row of its upstream stage, which serves `upstreamVariant`. */
export function fanOutAt(scope: Scope, index: number, upstreamVariant: string | null): number {
  const stage = scope.stages[index]?.stage;
  return stage ? fanOutOf(stage, upstreamVariant) : 1;
}

/** Rows of one request at stage `index`, given those and the variants of the stages before it. */
export function rowsAt(scope: Scope, index: number, rows: readonly number[], variants: readonly string[]): number {
  const upstream = scope.stages[index]?.upstream ?? -1;
  const before = upstream < 0 ? 1 : (rows[upstream] ?? 0);
  return Math.min(MOST_ROWS, before * fanOutAt(scope, index, upstream < 0 ? null : (variants[upstream] ?? null)));
}

/** Group sizes beyond this are as good as infinite; keeps products of fan-outs finite. */
const MOST_ROWS = 1e12;

function scopeStage(problem: Problem, policy: Policy, stage: Stage, rateRps: number): ScopeStage {
  const pins = problem.pins.filter(pin => pin.stage === stage.name);
  const [minReplicas, maxReplicas] = boundsOf(problem, stage, rateRps);
  const replicas =
    numberOr(pins.find(pin => pin.replicas !== null)?.replicas, null) ??
    givenReplicas(problem, policy, stage, maxReplicas);
  const members = new Map<Variant, ScopeVariant[]>();
  const usable = chosenBy(policy, stage, usableVariants(problem, stage, pins)).flatMap(variant =>
    scopeVariant(problem, stage, variant, pins, members),
  );
  const current = problem.current?.[stage.name];
  const indexOf = (name: string) => problem.pipeline.stages.findIndex(other => other.name === name);
  return {
    stage,
    upstream: stage.upstream === null ? -1 : indexOf(stage.upstream),
    after: stage.dependsOn.map(indexOf),
    minReplicas,
    maxReplicas,
    pinnedReplicas: replicas === null ? null : Math.min(maxReplicas, Math.max(minReplicas, Math.floor(replicas))),
    variants: usable.length > 0 ? usable : [fallback(problem, stage, pins)],
    plannable: usable.length > 0,
    currentVariant: (current && mainPart(current)?.variant) ?? null,
    currentReplicas: current ? replicasOf(current) : 0,
    scaling: problem.scaling?.[stage.name],
    othersRps: Math.min(MAX_RATE_RPS, Math.max(0, problem.othersRps?.[stage.name] || 0)),
    isWhole: problem.combine?.[stage.name]?.kind !== "vote" || areAllSets(stage.variants),
  };
}

/** Replicas that the policy does not choose; null: it does, or `hpa`'s formula does when the variant is known. */
function givenReplicas(problem: Problem, policy: Policy, stage: Stage, most: number): number | null {
  if (policy.replicas === "most") return most;
  if (policy.replicas !== "current") return null;
  const current = problem.current?.[stage.name];
  return current ? replicasOf(current) : most;
}

function boundsOf(problem: Problem, stage: Stage, rateRps: number): [number, number] {
  const bounds = problem.bounds[stage.name];
  const ofBounds = numberOr(bounds?.max, stage.replicas.max);
  const max = Math.max(0, Math.floor(Math.min(stage.replicas.max, ofBounds)));
  const min = Math.max(stage.replicas.min, Math.ceil(numberOr(bounds?.min, 0)), rateRps > 0 ? 1 : 0);
  return [Math.min(min, max), max];
}

function usableVariants(problem: Problem, stage: Stage, pins: readonly StagePin[]): Variant[] {
  const pinned = pins.find(pin => pin.variant !== null)?.variant;
  const excluded = problem.excluded[stage.name] ?? [];
  const isFree = pins.every(pin => pin.batch === null && pin.replicas === null);
  return stage.variants.filter(variant => {
    const members = membersOf(variant);
    if (members.some(member => excluded.includes(member.variant.name)) || (members.length > 0 && !isFree)) return false;
    return !excluded.includes(variant.name) && (pinned === undefined || variant.name === pinned);
  });
}

/** The variants that the policy chooses from; a pin wins. */
function chosenBy(policy: Policy, stage: Stage, usable: readonly Variant[]): readonly Variant[] {
  if (policy.variants === "free" || usable.length < 2) return usable;
  if (policy.variants === "default") return usable.filter(variant => variant.name === stage.defaultVariant);
  const sign = policy.variants === "lightest" ? 1 : -1;
  const byWork = usable
    .filter(variant => variant.profile !== null)
    .toSorted((a, b) => sign * (workOf(a) - workOf(b)) || sign * ((a.accuracy ?? 1) - (b.accuracy ?? 1)));
  return byWork.slice(0, 1);
}
