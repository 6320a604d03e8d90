import type { ModelClaimant, ModelClaims, ModelOrigin } from "./model-claims.ts";

/** How long a parent that does not answer is waited for. */
const ANSWER_MS = 15_000;

/** What a switcher says to the process that started it, of a model in another server. */
export type ClaimMessage =
  | { readonly kind: "modelClaim"; readonly what: "claim" | "release"; readonly url: string }
  | { readonly kind: "modelClaim"; readonly what: "report"; readonly url: string; readonly origin: ModelOrigin };

/** What it is answered when it may go on after a claim or a release. */
interface ClaimAnswer {
  readonly kind: "modelClaimed";
  readonly url: string;
}

/** The claims of a switcher whose parent process keeps those of all that share a server. */
export function claimsOfParent(): ModelClaimant {
  const waiting = new Map<string, () => void>();
  process.on("message", (message: Partial<ClaimAnswer> | null) => {
    if (message?.kind === "modelClaimed" && typeof message.url === "string") waiting.get(message.url)?.();
  });
  const say = (message: ClaimMessage): void => {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const ask = async (what: "claim" | "release", url: string): Promise<void> => {
    if (!process.connected) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ANSWER_MS);
      waiting.set(url, () => {
        clearTimeout(timer);
        resolve();
      });
      say({ kind: "modelClaim", what, url });
    });
    waiting.delete(url);
  };
  return {
    claim: url => ask("claim", url),
    report: (url, origin) => say({ kind: "modelClaim", what: "report", url, origin }),
    release: url => ask("release", url),
  };
}

/** Does what a switcher says of its models. Anything else is not for us. */
export async function keepClaim(
  claims: ModelClaims,
  user: string,
  message: unknown,
  answer: (message: object) => void,
): Promise<void> {
  const said = message as ClaimMessage | null;
  if (said?.kind !== "modelClaim") return;
  const claimant = claims.as(user);
  if (said.what === "report") return claimant.report(said.url, said.origin);
  await claimant[said.what](said.url);
  answer({ kind: "modelClaimed", url: said.url } satisfies ClaimAnswer);
}
