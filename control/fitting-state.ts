import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import { type Configuration, servedNames } from "../domain/configuration.ts";
import { findStage, findVariant, type Pipeline } from "../domain/pipeline.ts";
import { configurationOf } from "../domain/plan.ts";
import type { ControlState } from "./control-state.ts";

/** The state without what the pipeline no longer has: its file may have been edited since the last tick. */
export function fittingState(before: ControlState, pipeline: Pipeline): ControlState {
  const state = withModels(before, modelsOf(pipeline));
  const fits = state.plan !== null && fitsPipeline(configurationOf(state.plan), pipeline);
  return {
    ...state,
    ...(fits ? {} : { plan: null, planReasons: [], planAtMs: null, decisionId: null }),
    ...(fits && state.trial && fitsPipeline(state.trial.configuration, pipeline) ? {} : { trial: null }),
    corrections: ofStages(state.corrections, pipeline),
    rowEvidence: ofStages(state.rowEvidence, pipeline),
    rowFactors: ofStages(state.rowFactors, pipeline),
    quarantines: state.quarantines.filter(({ stage, variant }) => hasVariant(pipeline, stage, variant)),
    missing: state.missing.filter(({ stage, variant }) => hasVariant(pipeline, stage, variant)),
  };
}

/** Those of stages that the pipeline has; the same object where it has all. */
function ofStages<T>(byStage: Readonly<Record<string, T>>, pipeline: Pipeline): Readonly<Record<string, T>> {
  const entries = Object.entries(byStage);
  const kept = entries.filter(([stage]) => findStage(pipeline, stage));
  return kept.length === entries.length ? byStage : Object.fromEntries(kept);
}

/** What was seen of a model says nothing of another one that took its name. What the models were before is not known of older states. */
function withModels(state: ControlState, models: ControlState["models"]): ControlState {
  const { models: before, evidence, remembered, trial, missing } = state;
  if (before === models) return state;
  const isSame = ([stage, variant]: readonly [string, string]): boolean => {
    const key = variantKey(stage, variant);
    return !Object.hasOwn(before, key) || before[key] === models[key];
  };
  const ofSame = ({ variants }: Pick<AccuracyEstimate, "variants">): boolean => Object.entries(variants).every(isSame);
  return {
    ...state,
    models,
    evidence: evidence.filter(ofSame),
    remembered: remembered.filter(ofSame),
    missing: missing.filter(({ stage, variant }) => isSame([stage, variant])),
    trial: trial && ofSame({ variants: servedNames(trial.configuration) }) ? trial : null,
  };
}

const known = new WeakMap<Pipeline, ControlState["models"]>();

/** The same object for the same pipeline. */
function modelsOf(pipeline: Pipeline): ControlState["models"] {
  const models =
    known.get(pipeline) ??
    Object.fromEntries(
      pipeline.stages.flatMap(({ name, variants }) =>
        variants.map(({ name: variant, sha256, url, model }) => [
          variantKey(name, variant),
          sha256 ?? JSON.stringify([url, model]),
        ]),
      ),
    );
  known.set(pipeline, models);
  return models;
}

/** Names of stages hold no `/`. */
function variantKey(stage: string, variant: string): string {
  return `${stage}/${variant}`;
}

/** Whether a configuration is of the pipeline's stages, and all of its variants are theirs. */
function fitsPipeline(configuration: Configuration, pipeline: Pipeline): boolean {
  const stages = Object.entries(configuration);
  return (
    stages.length === pipeline.stages.length &&
    stages.every(([stage, { parts }]) => parts.every(part => hasVariant(pipeline, stage, part.variant)))
  );
}

function hasVariant(pipeline: Pipeline, stage: string, variant: string): boolean {
  const found = findStage(pipeline, stage);
  return found !== undefined && findVariant(found, variant) !== undefined;
}
