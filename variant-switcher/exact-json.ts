import { VariscaleError } from "../domain/errors.ts";

/** Text, or a whole number of so many digits that a double may not hold all of them. */
const TEXT_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?[1-9]\d{15,}(?![\d.eE])/g;
const LONG_DIGITS = /\d{16}/;
const MARK = "#";
const [COMMA, BRACKET, BRACE] = Buffer.from(",[{");
/** What each value and each array or object takes at least once parsed, the tensor's element included. */
const VALUE_BYTES = 16;
const LIST_BYTES = 48;

/**
 * Parses JSON like JSON.parse(), but whole numbers of 16 digits and more keep all of them: they become what longInteger() reads.
 * Throws `invalid_argument` for what is no JSON.
 */
export function parseExactJson(text: string): unknown {
  try {
    return JSON.parse(LONG_DIGITS.test(text) ? text.replace(TEXT_OR_LONG_INTEGER, markNumber) : text);
  } catch (error) {
    throw new VariscaleError(
      "invalid_argument",
      `the request is no JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** What comes of so much JSON text, about: a digit and a comma become a number in an array and an element of a tensor. */
export function parsedBytes(text: Uint8Array): number {
  let bytes = 0;
  for (const character of text) {
    if (character === COMMA) bytes += VALUE_BYTES;
    else if (character === BRACKET || character === BRACE) bytes += LIST_BYTES;
  }
  return bytes;
}

/** The digits of a number that parseExactJson() kept; null: the value is none. */
export function longInteger(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, MARK)) return null;
  const digits = (value as Record<string, unknown>)[MARK];
  return typeof digits === "string" && /^-?\d+$/.test(digits) ? digits : null;
}

function markNumber(found: string): string {
  return found.startsWith('"') ? found : `{"${MARK}":"${found}"}`;
}
