import type { IncomingHttpHeaders } from "node:http";

/** The head of a POST request whose body has a declared length. */
export interface PostHead {
  /** The head as it came, with the empty line at its end. */
  readonly bytes: Buffer;
  readonly url: string;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  /** At least 1. */
  readonly contentLength: number;
}

const MAX_BYTES = 8192;
const REQUEST_LINE = /POST ([!-~]+) HTTP\/1\.1\r\n/y;
/** A name, and a value of visible ASCII with single or more blanks within it. */
const FIELD = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([!-~]+(?:[ \t]+[!-~]+)*) *\r\n/y;
const LENGTH = /^[1-9][0-9]{0,14}$/;
/** What asks for more than an answer to a body of known length, or is not given to handlers as it comes. */
const SPECIAL = new Set([
  "transfer-encoding",
  "expect",
  "upgrade",
  "trailer",
  "te",
  "proxy-connection",
  "set-cookie",
  "__proto__",
]);

/**
 * Reads the head that `chunk` begins with, if it is whole and of the plainest kind; null: it is not, which does not say that it is wrong.
 * A head that is read here means the same to Node's parser: nothing is accepted that could be read in two ways (a field given twice, an
 * obsolete fold, a bare line feed, a length with a sign or a tab behind it).
 */
export function readPostHead(chunk: Buffer): PostHead | null {
  const end = chunk.indexOf("\r\n\r\n") + 4;
  if (end < 4 || end > MAX_BYTES) return null;
  const text = chunk.toString("latin1", 0, end);
  REQUEST_LINE.lastIndex = 0;
  const url = REQUEST_LINE.exec(text)?.[1];
  if (url === undefined || !url.startsWith("/")) return null;
  const headers = fieldsOf(text, REQUEST_LINE.lastIndex);
  if (!headers) return null;
  const { host, connection = "keep-alive" } = headers;
  const length = headers["content-length"] ?? "";
  if (host === undefined || connection.toLowerCase() !== "keep-alive" || !LENGTH.test(length)) return null;
  return { bytes: Buffer.from(chunk.subarray(0, end)), url, headers, contentLength: Number(length) };
}

function fieldsOf(text: string, from: number): IncomingHttpHeaders | null {
  const headers = Object.create(null) as IncomingHttpHeaders;
  FIELD.lastIndex = from;
  while (FIELD.lastIndex < text.length - 2) {
    const [, name, value] = FIELD.exec(text) ?? [];
    if (name === undefined) return null;
    const key = name.toLowerCase();
    if (key in headers || SPECIAL.has(key)) return null;
    headers[key] = value;
  }
  return headers;
}
