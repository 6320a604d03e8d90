import { VariscaleError } from "../domain/errors.ts";

/** Bytes of the number that says how long an element is. */
const LENGTH_BYTES = 4;

/**
 * BYTES tensors travel as Triton's binary tensor extension has them: each element is its length, four bytes little-endian, and
 * then its bytes. Puts elements together to that form.
 */
export function encodeBytesElements(elements: readonly Uint8Array[]): Uint8Array {
  // Its memory is its own, so that it can be transferred.
  const bytes = Buffer.allocUnsafeSlow(elements.reduce((sum, element) => sum + LENGTH_BYTES + element.length, 0));
  let at = 0;
  for (const element of elements) {
    at = bytes.writeUInt32LE(element.length, at);
    bytes.set(element, at);
    at += element.length;
  }
  return bytes;
}

/** Views of the elements. Throws `invalid_argument` where they do not fill `bytes` exactly. */
export function decodeBytesElements(bytes: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  walkWhole(bytes, (from, to) => elements.push(bytes.subarray(from, to)));
  return elements;
}

/** How many elements there are, found without a view of each, which takes many times the bytes of a short one. Throws like decodeBytesElements(). */
export function countBytesElements(bytes: Uint8Array): number {
  return walkWhole(bytes, () => undefined);
}

/** The part of the tensor that holds the elements [from, to); the tensor must be a whole one. */
export function sliceBytesElements(bytes: Uint8Array, from: number, to: number): Uint8Array {
  let index = 0;
  let start = bytes.length;
  let end = bytes.length;
  walk(bytes, (at, next) => {
    if (index === from) start = at - LENGTH_BYTES;
    index++;
    if (index === to) end = next;
  });
  return bytes.subarray(start, end);
}

function walkWhole(bytes: Uint8Array, visit: (from: number, to: number) => void): number {
  let count = 0;
  const end = walk(bytes, (from, to) => {
    visit(from, to);
    count++;
  });
  if (end !== bytes.length)
    throw new VariscaleError(
      "invalid_argument",
      `BYTES element ${count} is cut off: ${end - bytes.length} bytes are missing`,
    );
  return count;
}

/** Gives where the last element ends, which is beyond `bytes` when it is cut off; that one is not visited. */
function walk(bytes: Uint8Array, visit: (from: number, to: number) => void): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    if (at + LENGTH_BYTES > bytes.length) return at + LENGTH_BYTES;
    const from = at + LENGTH_BYTES;
    const to = from + view.getUint32(at, true);
    if (to > bytes.length) return to;
    visit(from, to);
    at = to;
  }
  return at;
}
