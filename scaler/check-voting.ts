import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import { POLICIES } from "../optimizer/policies.ts";

/**
 * A policy that lets variants vote needs gateways that are told who votes; without them it would be planned for and not served.
 *
 * @throws failed_precondition for a pipeline that is to run with one.
 */
export function checkVoting({ key, mode, objective, stages }: Pipeline, joinsVotes: boolean): void {
  const voting = stages.find(({ votes }) => votes !== undefined);
  if (joinsVotes || mode === "shadow" || !voting || !POLICIES[objective.policy].ensembles) return;
  throw new VariscaleError(
    "failed_precondition",
    `pipeline ${formatKey(key)}: policy \`${objective.policy}\` lets variants of stage \`${voting.name}\` vote, and this scaler can't tell gateways who votes: only \`variscale up\` does. Write \`mode: shadow\`, choose another policy, or leave \`votes\` out.`,
  );
}
