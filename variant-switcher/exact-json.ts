import { VariscaleError } from "../domain/errors.ts";

/**
 * Whole numbers of so many digits that a double may not hold all of them. The longest 64-bit integer has 20 characters: a longer number is
 * none, and stays a number of JSON, so that nothing has to work with millions of digits.
 */
const LONG_INTEGER = /(?<![\d.eE+-])-?[1-9]\d{15,19}(?![\d.eE])/g;
const LONG_DIGITS = /\d{16}/;
const SHORTEST_LONG = 16;
const MARK = "#";
const [QUOTE, BACKSLASH] = Buffer.from('"\\');

/**
 * Parses JSON like JSON.parse(), but whole numbers of 16 to 20 digits keep all of them: they become what longInteger() reads.
 * Throws `invalid_argument` for what is no JSON. Takes time in proportion to the text, whatever it is.
 */
export function parseExactJson(text: string): unknown {
  return parseJson(LONG_DIGITS.test(text) ? markLongIntegers(text) : text, "the request");
}

/** Parses JSON. Throws `invalid_argument`, naming `what` it is, for what is none. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new VariscaleError("invalid_argument", `${what} is no JSON: ${VariscaleError.from(error).message}`);
  }
}

/** The digits of a number that parseExactJson() kept; null: the value is none. */
export function longInteger(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, MARK)) return null;
  const digits = (value as Record<string, unknown>)[MARK];
  return typeof digits === "string" && /^-?\d{1,20}$/.test(digits) ? digits : null;
}

/** Replaces the long integers outside of JSON's texts. A text that does not end goes to the end: JSON.parse() then says what is wrong. */
function markLongIntegers(text: string): string {
  const parts: string[] = [];
  let copied = 0;
  for (let from = 0; from < text.length; ) {
    const quote = text.indexOf('"', from);
    const to = quote < 0 ? text.length : quote;
    if (to - from >= SHORTEST_LONG) {
      const marked = text.slice(from, to).replace(LONG_INTEGER, digits => `{"${MARK}":"${digits}"}`);
      parts.push(text.slice(copied, from), marked);
      copied = to;
    }
    from = quote < 0 ? text.length : endOfText(text, quote);
  }
  parts.push(text.slice(copied));
  return parts.join("");
}

/** The position behind the text that begins with the quote at `at`. */
function endOfText(text: string, at: number): number {
  let i = at + 1;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) return i + 1;
    if (code === BACKSLASH) i++;
  }
  return text.length;
}
