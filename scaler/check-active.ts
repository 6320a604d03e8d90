import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import { unservedOf } from "../domain/unserved.ts";
import { checkVoting } from "./check-voting.ts";

/**
 * Whether a pipeline may be in mode `active`, whoever asks for it.
 *
 * @param withoutVote stages whose code can't join votes.
 * @throws failed_precondition where its plans can't be served.
 */
export function checkActive(pipeline: Pipeline, joinsVotes: boolean, withoutVote: readonly string[] = []): void {
  const [unserved] = unservedOf(pipeline.objective);
  if (unserved)
    throw new VariscaleError(
      "failed_precondition",
      `pipeline ${formatKey(pipeline.key)}: \`spec.objective.${unserved.field}\` ${unserved.rule}. Stay in mode \`shadow\`, or choose another.`,
    );
  checkVoting({ ...pipeline, mode: "active" }, joinsVotes, withoutVote);
}
