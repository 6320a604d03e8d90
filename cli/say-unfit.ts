import { VariscaleError } from "../domain/errors.ts";
import { unfitVariants } from "../domain/memory-fit.ts";
import type { Pipeline } from "../domain/pipeline.ts";

/**
 * Tells which variants are left out because the pods of their stage have too little memory for them.
 *
 * @throws failed_precondition where all measured variants of a stage are left out: nothing can be served.
 */
export function sayUnfit(pipeline: Pipeline, say: (line: string) => void): void {
  const unfit = unfitVariants(pipeline);
  for (const { name, variants } of pipeline.stages) {
    const messages = unfit.filter(({ stage }) => stage === name).map(({ message }) => message);
    if (messages.length > 0 && messages.length === variants.filter(({ profile }) => profile !== null).length)
      throw new VariscaleError(
        "failed_precondition",
        `no variant of stage ${name} fits into memory, so that nothing can be served. ${messages.join(" ")}`,
      );
    for (const message of messages) say(message);
  }
}
