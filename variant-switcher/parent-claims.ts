import type { ModelClaimant, ModelClaims, ModelOrigin } from "./model-claims.ts";

/** How long a parent that does not answer is waited for. */
const ANSWER_MS = 15_000;

/** A switcher says this to the process that started it, about a model in another server. */
export type ClaimMessage =
  | { readonly kind: "modelClaim"; readonly what: "claim" | "release"; readonly url: string }
  | { readonly kind: "modelClaim"; readonly what: "report"; readonly url: string; readonly origin: ModelOrigin };

/** The answer to a claim or a release: the switcher may go on. */
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

/** Passes on what a switcher says about its models. Other messages are left to others. */
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
