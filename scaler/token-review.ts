import { z } from "zod";
import type { TokenIdentity } from "./switcher-identity.ts";

/** Tokens of switchers are for this audience unless another is named: one for another is none, so that nobody can pass on what was shown to him. */
export const SWITCHER_AUDIENCE = "variscale";

const POD_NAME = "authentication.kubernetes.io/pod-name";
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
/** Text of the API server in messages. */
const MOST_TEXT = 300;

const reviewSchema = z.looseObject({
  status: z.looseObject({
    authenticated: z.boolean().optional(),
    audiences: z.array(z.string()).nullish(),
    error: z.string().optional(),
    user: z
      .looseObject({ username: z.string().optional(), extra: z.record(z.string(), z.array(z.string())).nullish() })
      .optional(),
  }),
});

/** Whose token it is, or why it is nobody's. */
export type ReviewedToken =
  | { readonly identity: TokenIdentity; readonly problem?: undefined }
  | { readonly problem: string; readonly identity?: undefined };

/** The TokenReview that asks for a token. */
export function tokenReview(token: string, audience = SWITCHER_AUDIENCE): object {
  return {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token, audiences: [audience] },
  };
}

/** What an answered TokenReview says. Throws where it is none. */
export function reviewedToken(answer: unknown, audience = SWITCHER_AUDIENCE): ReviewedToken {
  const { authenticated, audiences, error = "", user } = reviewSchema.parse(answer).status;
  if (!authenticated)
    return { problem: `the API server does not take its token${error === "" ? "" : `: ${error.slice(0, MOST_TEXT)}`}` };
  // A server that knows no audiences leaves them out, and has not looked for them.
  if (!audiences?.includes(audience)) return { problem: `its token is not for the audience ${audience}` };
  const [, namespace, serviceAccount] = SERVICE_ACCOUNT.exec(user?.username ?? "") ?? [];
  if (namespace === undefined || serviceAccount === undefined)
    return { problem: `its token is that of \`${user?.username?.slice(0, MOST_TEXT) ?? ""}\`, no service account` };
  const pod = user?.extra?.[POD_NAME]?.[0];
  if (pod === undefined)
    return {
      problem: `its token is bound to no pod: mount it as a projected volume (serviceAccountToken with audience ${audience})`,
    };
  return { identity: { namespace, serviceAccount, pod } };
}
