import { RequestTooLarge } from "./request-too-large.ts";

/** No request of the protocol is nested deeper: an input's data has up to 16 dimensions. */
const MAX_DEPTH = 32;
/** A request has tens of members; each one with a name of its own costs a parser more than a thousand numbers. */
const MAX_MEMBERS = 10_000;
const SHORTEST_LONG_INTEGER = 16;
const [QUOTE, BACKSLASH, COLON, DOT, ZERO, NINE, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = Buffer.from('"\\:.09{}[]');
/** The memory that each value, member, array and object takes at least once it is parsed, the tensor's element included, by the character that tells of it. */
const BYTES_OF = new Uint8Array(256);
for (const [character, bytes] of Object.entries({ ",": 16, "[": 48, "{": 128, ":": 32 }))
  BYTES_OF[character.charCodeAt(0)] = bytes;
/** A text takes this beside its characters. */
const TEXT_BYTES = 32;
/** The memory that a whole number of 16 digits and more takes beyond that of another value, as its digits are kept. */
const LONG_INTEGER_BYTES = 112;

/**
 * How much memory JSON text takes as a string and once it is parsed, about, found in one pass without parsing it: a digit and a comma become a
 * number in an array and an element of a tensor. Throws RequestTooLarge for structures that no request has and that take long to parse.
 */
export function parsedBytes(text: Uint8Array): number {
  const { length } = text;
  let [bytes, depth, members, digits, all] = [0, 0, 0, 0, 0];
  // A for-of loop costs four times as much, which is more than half of what the parser does.
  for (let i = 0; i < length; i++) {
    const byte = text[i] as number;
    all |= byte;
    if (byte >= (ZERO as number) && byte <= (NINE as number)) {
      if (++digits === SHORTEST_LONG_INTEGER) bytes += LONG_INTEGER_BYTES;
      continue;
    }
    digits = byte === DOT ? -length : 0;
    bytes += BYTES_OF[byte] as number;
    if (byte === QUOTE) {
      bytes += TEXT_BYTES - i;
      for (i++; i < length && text[i] !== QUOTE; i++) {
        all |= text[i] as number;
        if (text[i] === BACKSLASH) i++;
      }
      bytes += i;
    } else if (byte === OPEN || byte === OPEN_LIST) {
      if (byte === OPEN) members++;
      if (++depth > MAX_DEPTH) throw new RequestTooLarge(`the request's JSON is nested deeper than ${MAX_DEPTH}`);
    } else if (byte === CLOSE || byte === CLOSE_LIST) depth--;
    else if (byte === COLON) members++;
    if (members > MAX_MEMBERS)
      throw new RequestTooLarge(`the request's JSON has more than ${MAX_MEMBERS} objects and members`);
  }
  const isAscii = all < 0x80;
  return bytes + (isAscii ? length : 2 * length);
}
