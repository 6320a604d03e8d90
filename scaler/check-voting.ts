import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";
import { POLICIES } from "../optimizer/policies.ts";

/**
 * A policy that lets variants vote needs gateways that are told who votes, and code that joins the votes; without them it would be planned for and
 * not served.
 *
 * @param withoutVote stages whose code can't join any.
 * @throws failed_precondition for a pipeline that is to run with one.
 */
export function checkVoting(
  { key, mode, objective, stages }: Pipeline,
  joinsVotes: boolean,
  withoutVote: readonly string[] = [],
): void {
  if (mode === "shadow" || !POLICIES[objective.policy].ensembles) return;
  const voting = stages.filter(({ votes }) => votes !== undefined);
  const unserved = voting.find(({ name }) => !joinsVotes || withoutVote.includes(name));
  if (!unserved) return;
  const why = joinsVotes
    ? "the code of the stage has no `vote`. Give it one, stay in mode `shadow`,"
    : "this scaler can't tell gateways who votes: only `variscale up` does. Write `mode: shadow`,";
  throw new VariscaleError(
    "failed_precondition",
    `pipeline ${formatKey(key)}: policy \`${objective.policy}\` lets variants of stage \`${unserved.name}\` vote, and ${why} choose another policy, or leave \`votes\` out.`,
  );
}
