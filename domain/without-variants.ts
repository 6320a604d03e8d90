import type { Pipeline } from "./pipeline.ts";

/** The same pipeline without these variants, `stage/variant` each. */
export function withoutVariants(pipeline: Pipeline, leftOut: readonly string[]): Pipeline {
  if (leftOut.length === 0) return pipeline;
  const stages = pipeline.stages.map(stage => ({
    ...stage,
    variants: stage.variants.filter(variant => !leftOut.includes(`${stage.name}/${variant.name}`)),
  }));
  return { ...pipeline, stages };
}
