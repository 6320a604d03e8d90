import type { Tuning } from "../control/tuning.ts";
import { findStage, findVariant, type Stage } from "../domain/pipeline.ts";
import type { Objective } from "../domain/pipeline-schema.ts";
import type { StagePin } from "../optimizer/problem.ts";
import type { Change } from "./change.ts";
import { type AgentLimits, allowedQuantiles } from "./limits.ts";
import { bounded, MOST_NAME } from "./quoted.ts";
import type { Situation } from "./situation.ts";

/** The tuning that a change would make of the one in force; or why the change is not one that the agent may make. */
export type Tuned = { readonly tuning: Tuning } | { readonly refused: string };

export function tunedBy(situation: Situation, change: Change, limits: AgentLimits): Tuned {
  const { tuning } = situation;
  switch (change.kind) {
    case "weights":
      return weighted(situation, change.weights, limits);
    case "forecastQuantile": {
      const allowed = allowedQuantiles(limits);
      return allowed.includes(change.quantile)
        ? { tuning: { ...tuning, forecastQuantile: change.quantile } }
        : { refused: `forecast quantile: must be one of ${allowed.join(", ")} (is: ${change.quantile})` };
    }
    case "pins":
      return pinned(situation, change.pins.map(toPin));
    case "configuration": {
      const missing = situation.pipeline.stages.filter(
        ({ name }) => !change.stages.some(({ stage }) => stage === name),
      );
      if (missing.length > 0)
        return {
          refused: `a configuration must have every stage: ${missing.map(({ name }) => cut(name)).join(", ")} missing`,
        };
      return pinned(situation, change.stages.map(toPin));
    }
    default:
      return change satisfies never;
  }
}

function weighted(
  { pipeline, tuning }: Situation,
  weights: Extract<Change, { kind: "weights" }>["weights"],
  { weightFactor }: AgentLimits,
): Tuned {
  const own = pipeline.objective.weights;
  const next: { -readonly [key in keyof Objective["weights"]]: number } = { ...(tuning.weights ?? own) };
  for (const key of ["accuracy", "cost", "switch"] as const) {
    const wanted = weights[key];
    if (wanted === undefined) continue;
    if (!(wanted <= own[key] * weightFactor && wanted >= own[key] / weightFactor))
      return {
        refused: `weights.${key}: must be from ${own[key] / weightFactor} to ${own[key] * weightFactor}, within a factor of ${weightFactor} of the user's (is: ${wanted})`,
      };
    next[key] = wanted;
  }
  return { tuning: { ...tuning, weights: next } };
}

interface PinChange {
  readonly stage: string;
  readonly variant?: string | undefined;
  readonly batch?: number | undefined;
  readonly replicas?: number | undefined;
}

function toPin({ stage, variant, batch, replicas }: PinChange): StagePin {
  return { stage, variant: variant ?? null, batch: batch ?? null, replicas: replicas ?? null };
}

function pinned(situation: Situation, pins: readonly StagePin[]): Tuned {
  const seen = new Set<string>();
  for (const pin of pins) {
    const stage = findStage(situation.pipeline, pin.stage);
    if (!stage) return { refused: `there is no stage ${cut(pin.stage)}: ${listed(situation.pipeline.stages)}` };
    if (seen.has(pin.stage)) return { refused: `stage ${cut(pin.stage)} is named twice` };
    seen.add(pin.stage);
    if (situation.pins.some(other => other.stage === pin.stage))
      return { refused: `stage ${cut(pin.stage)} is pinned by an operator, who goes first` };
    const refused = refusedOf(situation, stage, pin);
    if (refused !== null) return { refused };
  }
  return { tuning: { ...situation.tuning, pins } };
}

function refusedOf(situation: Situation, stage: Stage, { variant, batch, replicas }: StagePin): string | null {
  const found = variant === null ? null : findVariant(stage, variant);
  if (variant !== null && !found)
    return `stage ${cut(stage.name)} has no variant ${cut(variant)}: ${listed(stage.variants)}`;
  if (found && !found.profile) return `variant ${cut(found.name)} was not measured, so it can't be planned with`;
  if (found && situation.excluded[stage.name]?.includes(found.name))
    return `variant ${cut(found.name)} is left out now, as it is quarantined or not installed`;
  const measured = (found ? [found] : stage.variants).flatMap(
    ({ profile }) => profile?.points.map(point => point.batch) ?? [],
  );
  if (batch !== null && !measured.includes(batch))
    return `stage ${cut(stage.name)}: a batch of ${batch} was not measured, only ${[...new Set(measured)].join(", ")}`;
  const live = situation.bounds[stage.name] ?? stage.replicas;
  const [min, max] = [Math.max(stage.replicas.min, live.min), Math.min(stage.replicas.max, live.max)];
  if (replicas !== null && !(replicas >= min && replicas <= max))
    return `stage ${cut(stage.name)}: replicas must be from ${min} to ${max} (is: ${replicas})`;
  return null;
}

function listed(all: readonly { readonly name: string }[]): string {
  return `it is one of ${all
    .slice(0, 20)
    .map(({ name }) => cut(name))
    .join(", ")}`;
}

function cut(name: string): string {
  return JSON.stringify(bounded(name, MOST_NAME));
}
