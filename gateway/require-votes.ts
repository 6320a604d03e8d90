import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { PipelineCode } from "./stage.ts";

/**
 * @throws failed_precondition where votes would be served that the code can't join: in mode `active` under policy cocktail, of a stage with
 *   `votes` in its file.
 */
export function requireVotes({ mode, objective, stages }: Pipeline, code: PipelineCode): void {
  if (mode !== "active" || objective.policy !== "cocktail") return;
  for (const { name, votes } of stages)
    if (votes !== undefined && code.stages[name]?.vote === undefined)
      throw new VariscaleError(
        "failed_precondition",
        `\`stages.${name}\` of the pipeline's code has no \`vote\`, which policy cocktail needs where the file has \`votes\`. Give it one, or write \`mode: shadow\`.`,
      );
}
