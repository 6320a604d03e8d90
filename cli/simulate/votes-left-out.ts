import type { Pipeline } from "../../domain/pipeline.ts";
import type { PolicyName } from "../../domain/policy-name.ts";
import { POLICIES } from "../../optimizer/policies.ts";

/**
 * What a simulation does not do that a run does: under a policy with votes it serves a stage with one variant. Null: nothing votes.
 *
 * @param policies null: the file's.
 */
export function votesLeftOut({ objective, stages }: Pipeline, policies: readonly PolicyName[] | null): string | null {
  const voting = (policies ?? [objective.policy]).filter(policy => POLICIES[policy].ensembles);
  const names = stages.filter(({ votes }) => votes !== undefined).map(({ name }) => name);
  if (voting.length === 0 || names.length === 0) return null;
  return `votes are not simulated: under ${voting.join(", ")} one variant serves ${names.join(", ")}, where \`variscale up\` lets several vote`;
}
