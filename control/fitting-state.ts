import { findStage, findVariant, type Pipeline } from "../domain/pipeline.ts";
import type { Plan } from "../domain/plan.ts";
import type { ControlState, Trial } from "./control-state.ts";

/** The state without what the pipeline no longer has: its file may have been edited since the last tick. */
export function fittingState(state: ControlState, pipeline: Pipeline): ControlState {
  const fits = state.plan !== null && isPlanOf(state.plan, pipeline);
  return {
    ...state,
    ...(fits ? {} : { plan: null, planReasons: [], planAtMs: null, decisionId: null, guard: null }),
    ...(fits && state.trial && isOf(state.trial, pipeline) ? {} : { trial: null }),
    corrections: Object.fromEntries(Object.entries(state.corrections).filter(([stage]) => findStage(pipeline, stage))),
    quarantines: state.quarantines.filter(({ stage, variant }) => hasVariant(pipeline, stage, variant)),
  };
}

function isPlanOf({ stages }: Plan, pipeline: Pipeline): boolean {
  return (
    stages.length === pipeline.stages.length &&
    stages.every(({ stage, parts }) => parts.every(part => hasVariant(pipeline, stage, part.variant)))
  );
}

function isOf({ configuration }: Trial, pipeline: Pipeline): boolean {
  return pipeline.stages.every(({ name }) => {
    const parts = configuration[name]?.parts ?? [];
    return parts.length > 0 && parts.every(part => hasVariant(pipeline, name, part.variant));
  });
}

function hasVariant(pipeline: Pipeline, stage: string, variant: string): boolean {
  const found = findStage(pipeline, stage);
  return found !== undefined && findVariant(found, variant) !== undefined;
}
