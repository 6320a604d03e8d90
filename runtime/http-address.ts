import { VariscaleError } from "../domain/errors.ts";

export interface AddressRule {
  /** The message begins with it: the flag or the field. */
  readonly where: string;
  /** An address as it should be. */
  readonly example: string;
  readonly isHttpsAllowed: boolean;
  /** How credentials are given instead. */
  readonly credentials: string;
}

/**
 * An address as a user gave it. One with a user name or password is refused, as addresses are logged and shown.
 *
 * Throws invalid_argument; the message never has a password in it.
 */
export function parseHttpAddress(text: string, rule: AddressRule): URL {
  const { where, example, isHttpsAllowed, credentials } = rule;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !(url.protocol === "http:" || (isHttpsAllowed && url.protocol === "https:")))
    throw new VariscaleError(
      "invalid_argument",
      `${where} \`${withoutCredentials(text).slice(0, 200)}\` is no ${isHttpsAllowed ? "address" : "http address"}: write ${example}`,
    );
  if (url.username !== "" || url.password !== "")
    throw new VariscaleError(
      "invalid_argument",
      `${where} has a user name or a password in its address, where others see them: ${credentials}`,
    );
  return url;
}

/** A text that is no address may still hold a password. */
export function withoutCredentials(text: string): string {
  return text.replace(/\/\/.*@/, "//…@");
}
