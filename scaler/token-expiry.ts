/**
 * When a token ends by its own words, ms since 1970; null: it does not say. Not to be believed before an API server has taken it.
 */
export function expiryOf(token: string): number | null {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    const { exp } = claims as { readonly exp?: unknown };
    return typeof exp === "number" && Number.isFinite(exp) ? 1000 * exp : null;
  } catch {
    return null;
  }
}
