import { VariscaleError } from "../domain/errors.ts";
import { unfitVariants } from "../domain/memory-fit.ts";
import type { Pipeline } from "../domain/pipeline.ts";

/**
 * Tells which variants are left out because the pods of their stage have too little memory for them.
 *
 * @throws failed_precondition where the default variant of a stage is one of them: a replica starts with it.
 */
export function sayUnfit(pipeline: Pipeline, say: (line: string) => void): void {
  for (const { stage, variant, message } of unfitVariants(pipeline)) {
    const isDefault = pipeline.stages.some(({ name, defaultVariant }) => name === stage && defaultVariant === variant);
    if (isDefault)
      throw new VariscaleError(
        "failed_precondition",
        `${message} It is the stage's \`defaultVariant\`, which a replica starts with, so that nothing can be served.`,
      );
    say(message);
  }
}
