import type { Pipeline, Stage } from "./pipeline.ts";

/** The same pipeline without these variants, `stage/variant` each, and without what its stages say of them. */
export function withoutVariants(pipeline: Pipeline, leftOut: readonly string[]): Pipeline {
  if (leftOut.length === 0) return pipeline;
  const stages = pipeline.stages.map(stage =>
    keepVariants(stage, variant => !leftOut.includes(`${stage.name}/${variant}`)),
  );
  return { ...pipeline, stages };
}

function keepVariants(stage: Stage, isKept: (variant: string) => boolean): Stage {
  const { accuracy, votes } = stage;
  const thresholds = Object.entries(accuracy?.thresholds ?? {}).filter(([variant]) => isKept(variant));
  return {
    ...stage,
    variants: stage.variants.filter(({ name }) => isKept(name)),
    golden: stage.golden.filter(({ variant }) => isKept(variant)),
    ...(accuracy && { accuracy: { ...accuracy, thresholds: Object.fromEntries(thresholds) } }),
    ...(votes && { votes: { ...votes, measured: votes.measured.filter(({ variants }) => variants.every(isKept)) } }),
  };
}
