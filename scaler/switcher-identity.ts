import { formatKey, type PipelineKey, type Stage } from "../domain/pipeline.ts";

/** What a switcher says of itself. */
export interface SwitcherClaim {
  readonly namespace: string;
  readonly pod: string;
}

/** Whose token it is, as an API server says. */
export interface TokenIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
}

/**
 * What became of the proof of a switcher: `verified`; `kept`, it was verified before and can't be asked for now; `missing`, it shows
 * none; `refused`, it is none; `mismatched`, it is that of another; `unavailable`, it can't be asked for now.
 */
export type IdentityVerdict =
  | { readonly outcome: "verified" | "kept"; readonly problem: null; readonly identity: TokenIdentity }
  | { readonly outcome: "missing" | "refused" | "mismatched" | "unavailable"; readonly problem: string };

/** How the scaler knows who a switcher is. */
export interface SwitcherIdentity {
  /** Those that switchers run as; empty: any of the pipeline's namespace. */
  readonly serviceAccounts: readonly string[];
  /** Tokens are for it. */
  readonly audience: string;
  /** Why nobody's proof can be looked at now; null: nothing is known against it. */
  readonly problem: string | null;
  /**
   * @param claim null: it has not said who it is yet, so that its token alone is looked at.
   * @param token what it shows; null: nothing.
   * @param isFollowing it was taken before, and does not wait behind those that were not.
   */
  check(claim: SwitcherClaim | null, token: string | null, isFollowing?: boolean): Promise<IdentityVerdict>;
  close(): void;
}

/**
 * Why the token's owner is not the switcher that it says it is; null: it is.
 *
 * @param serviceAccounts those that switchers run as; empty: any of the pipeline's namespace.
 */
export function mismatchOf(
  identity: TokenIdentity,
  claim: SwitcherClaim,
  serviceAccounts: readonly string[],
): string | null {
  const { namespace, pod, serviceAccount } = identity;
  if (namespace !== claim.namespace)
    return `its token is that of a pod of namespace \`${namespace}\`, and it says that it serves a pipeline of \`${claim.namespace}\`: switchers run in the namespace of their pipeline`;
  if (pod !== claim.pod)
    return `its token is that of pod \`${pod}\`, and it says that it is \`${claim.pod}\`: give it its own name, --pod=$(POD_NAME)`;
  if (serviceAccounts.length > 0 && !serviceAccounts.includes(serviceAccount))
    return `its pod runs as service account \`${serviceAccount}\`; switchers run as ${serviceAccounts.join(", ")}: set serviceAccountName, or give the scaler --switcher-service-account ${serviceAccount} (\`switcher.serviceAccounts\` of the chart)`;
  return null;
}

/** Why the token's owner may be no switcher of the stage, though it is the one that it says it is; null: it may be. */
export function bindingProblem({ serviceAccount }: TokenIdentity, key: PipelineKey, stage: Stage): string | null {
  const { name, serviceAccounts } = stage;
  if (serviceAccounts.length === 0 || serviceAccounts.includes(serviceAccount)) return null;
  return `its pod runs as service account \`${serviceAccount}\`; switchers of stage \`${name}\` of ${formatKey(key)} run as ${serviceAccounts.join(", ")}: set serviceAccountName, or add it to the stage's serviceAccounts in the pipeline file`;
}
