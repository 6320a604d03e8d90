import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { PipelineCode } from "./stage.ts";

/**
 * @throws failed_precondition where votes would be served that the code can't join: in mode `active` under policy cocktail, of a stage with
 *   `votes` in its file.
 */
export function requireVotes({ mode, objective, stages }: Pipeline, code: PipelineCode): void {
  if (mode !== "active" || objective.policy !== "cocktail") return;
  const [name] = stagesWithoutVote({ stages }, code);
  if (name === undefined) return;
  throw new VariscaleError(
    "failed_precondition",
    `\`stages.${name}\` of the pipeline's code has no \`vote\`, which policy cocktail needs where the file has \`votes\`. Give it one, or write \`mode: shadow\`.`,
  );
}

/** Stages with `votes` in the file whose code can't join any. */
export function stagesWithoutVote({ stages }: Pick<Pipeline, "stages">, code: PipelineCode): readonly string[] {
  const voting = stages.filter(({ name, votes }) => votes !== undefined && code.stages[name]?.vote === undefined);
  return voting.map(({ name }) => name);
}
