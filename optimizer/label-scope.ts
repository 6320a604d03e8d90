import { mainPart } from "../domain/configuration.ts";
import type { Binding } from "../domain/plan.ts";
import { type PartsChoice, plainChoices } from "./composite-options.ts";
import type { LabelOption, LabelProblem, LabelStage } from "./label-problem.ts";
import { fewestReplicas } from "./replica-counts.ts";
import { fanOutAt, replicasPrice, type Scope, type ScopeStage, workLimit } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { plainLatencyMs } from "./served-latency.ts";

/** The limits of a LabelProblem made of a scope, in their order. */
export interface LabelScope {
  readonly problem: LabelProblem;
  readonly limited: readonly Binding[];
  /** Options that need more replicas than there may be. */
  readonly blocked: () => readonly Blocked[];
}

interface Blocked {
  readonly stage: number;
  readonly options: readonly LabelOption[];
  readonly binding: Binding;
}

interface Resource {
  readonly binding: Binding;
  readonly limit: number;
  readonly of: (replicas: number, workCores: number, stage: ScopeStage, variant: ScopeVariant) => number;
  readonly ofChoice: (choice: PartsChoice) => number;
}

/** A scope whose latency model gives plain numbers, for `searchLabels`. */
export function labelScopeOf(scope: Scope, slo: "hard" | "soft"): LabelScope {
  const { pipeline } = scope.problem;
  const { weights } = pipeline.objective;
  const resources = resourcesOf(scope);
  const rows = rowRanges(scope);
  const isTabled = scope.accuracy.isMeasured([]);
  return {
    blocked: () => scope.stages.flatMap((stage, s) => blockedAt(scope, stage, s, resources, rows[s]?.[0] ?? 0)),
    limited: resources.map(({ binding }) => binding),
    problem: {
      stages: scope.stages.map((stage, s) => labelStage(scope, stage, s, resources, rows)),
      worth: weights.accuracy,
      start: scope.accuracy.start,
      minAccuracy: slo === "hard" ? (pipeline.objective.minAccuracy ?? -Infinity) : -Infinity,
      latencyMs: slo === "hard" ? scope.sloMs : Infinity,
      limits: resources.map(({ limit }) => limit),
      table: isTabled ? scope.accuracy : null,
    },
  };
}

function resourcesOf(scope: Scope): Resource[] {
  const all: Resource[] = [
    {
      binding: "cores",
      limit: scope.maxCores,
      of: (replicas, _, __, variant) => replicas * variant.cores,
      ofChoice: choice => choice.cores,
    },
    {
      binding: "cost",
      limit: scope.maxCostPerHour,
      of: (replicas, _, { stage }) => replicas * (stage.costPerHour ?? 0),
      ofChoice: choice => choice.costPerHour,
    },
    {
      binding: "utilisation",
      limit: workLimit(scope),
      of: (_, workCores) => workCores,
      ofChoice: choice => choice.workCores,
    },
  ];
  return all.filter(({ limit }) => Number.isFinite(limit));
}

function labelStage(
  scope: Scope,
  stage: ScopeStage,
  index: number,
  resources: readonly Resource[],
  rows: readonly (readonly [number, number])[],
): LabelStage {
  const known = new Map<number, readonly LabelOption[]>();
  return {
    upstream: stage.upstream,
    after: stage.after,
    fanOut: variant => fanOutAt(scope, index, variant),
    followsVariant: new Set(fanOuts(scope, index)).size > 1,
    rows: rows[index] ?? [0, 0],
    optionsAt: count => {
      let options = known.get(count);
      if (!options) {
        options = stage.variants.flatMap(variant => optionsOf(scope, stage, index, variant, count, resources));
        known.set(count, options);
      }
      return options;
    },
  };
}

function optionsOf(
  scope: Scope,
  stage: ScopeStage,
  index: number,
  variant: ScopeVariant,
  rows: number,
  resources: readonly Resource[],
): LabelOption[] {
  const { weights } = scope.problem.pipeline.objective;
  const { slope, offset } = scope.accuracy.step(index, variant.name);
  const isSwitch = stage.currentVariant !== null && stage.currentVariant !== variant.main;
  const options: LabelOption[] = [];
  if (variant.members.length > 0) {
    const fastestMs = variant.members.map(({ variant: { service, batches } }) =>
      Math.min(...batches.map(service.meanMs)),
    );
    return plainChoices(scope, stage, variant, rows).map(choice => ({
      variant: variant.name,
      batch: mainPart(choice)?.batch ?? 1,
      replicas: choice.parts.reduce((sum, part) => sum + part.replicas, 0),
      parts: choice.parts,
      isVote: choice.parts.every(({ share }) => share === 1),
      key: `${variant.name}/${choice.parts.map(({ batch }) => batch).join("+")}`,
      price: choice.price + (isSwitch ? weights.switch : 0),
      latencyMs: choice.latencyMs,
      leastMs: scope.policy.latency === "service" ? choice.latencyMs : Math.max(...fastestMs),
      uses: resources.map(({ ofChoice }) => ofChoice(choice)),
      slope,
      offset,
    }));
  }
  for (const batch of variant.batches) {
    const msPerRow = variant.service.meanMs(batch) / batch;
    const replicas = fewestReplicas(scope, stage, rows, 1 / msPerRow);
    if (replicas === null) continue;
    const workCores = (scope.rateRps / 1000) * rows * msPerRow * variant.cores;
    options.push({
      variant: variant.name,
      batch,
      replicas,
      key: `${variant.name}/${batch}`,
      price: replicasPrice(scope, stage, variant, replicas) + weights.batch * batch + (isSwitch ? weights.switch : 0),
      latencyMs: plainLatencyMs(scope, stage.othersRps, variant, rows, batch),
      uses: resources.map(({ of }) => of(replicas, workCores, stage, variant)),
      slope,
      offset,
    });
  }
  return options;
}

function blockedAt(
  scope: Scope,
  stage: ScopeStage,
  index: number,
  resources: readonly Resource[],
  rows: number,
): Blocked[] {
  // Nearly always there is an option for every variant and batch.
  const alone = stage.variants.filter(({ members }) => members.length === 0);
  const possible = alone.every(variant =>
    variant.batches.every(batch => fewestReplicas(scope, stage, rows, batch / variant.service.meanMs(batch)) !== null),
  );
  if (possible) return [];
  const free = { ...stage, maxReplicas: Infinity, pinnedReplicas: null };
  const options = stage.variants.flatMap(variant => {
    if (variant.members.length > 0) return [];
    const allowed = new Set(optionsOf(scope, stage, index, variant, rows, resources).map(({ batch }) => batch));
    if (allowed.size === variant.batches.length) return [];
    return optionsOf(scope, free, index, variant, rows, resources).filter(({ batch }) => !allowed.has(batch));
  });
  if (options.length === 0) return [];
  return [{ stage: index, options, binding: stage.pinnedReplicas === null ? "maxReplicas" : "utilisation" }];
}

function fanOuts(scope: Scope, index: number): number[] {
  const upstream = scope.stages[scope.stages[index]?.upstream ?? -1];
  return (upstream?.variants.map(variant => variant.name) ?? [null]).map(name => fanOutAt(scope, index, name));
}

function rowRanges(scope: Scope): (readonly [number, number])[] {
  const ranges: (readonly [number, number])[] = [];
  for (const [index, { upstream }] of scope.stages.entries()) {
    const [fewest, most] = ranges[upstream] ?? [1, 1];
    const factors = fanOuts(scope, index);
    ranges.push([Math.min(1e12, fewest * Math.min(...factors)), Math.min(1e12, most * Math.max(...factors))]);
  }
  return ranges;
}
