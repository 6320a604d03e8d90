import type { Socket } from "node:net";

/** As much as Node reads at once. */
const BYTES = 64 * 1024;

/** All sockets read into the same memory: what one of them read is taken before another one reads. */
const shared = Buffer.allocUnsafeSlow(BYTES);

/** What Node makes of the option `onread`, which only sockets that connect have. */
interface ReadsIntoBuffer {
  readonly buffer: symbol;
  readonly callback: symbol;
}

type Internals = Socket & {
  [key: symbol]: unknown;
  _handle?: { useUserBuffer?: (buffer: Uint8Array) => void } | null;
};

/**
 * Has a socket that a server accepted read into memory that is used again at once, where Node would allocate 64 KiB for every read, which are
 * in no cache, and garbage then. From now on the socket has no "data" events. False: this version of Node is another one than
 * was looked at, and nothing has changed.
 *
 * @param take is given what was read, which is overwritten when it returns. False: no more is wanted until the stream is read on.
 */
export function readShared(socket: Socket, take: (chunk: Buffer) => boolean): boolean {
  const internals = socket as Internals;
  const symbols = symbolsOf(socket);
  const { _handle: handle } = internals;
  if (!symbols || typeof handle?.useUserBuffer !== "function") return false;
  internals[symbols.buffer] = shared;
  internals[symbols.callback] = (bytes: number): boolean => take(shared.subarray(0, bytes));
  handle.useUserBuffer(shared);
  return true;
}

/** What was read as it stays: the chunk itself, or a copy where it would be overwritten. */
export function unshared(chunk: Buffer): Buffer {
  return chunk.buffer === shared.buffer ? Buffer.from(chunk) : chunk;
}

function symbolsOf(socket: Socket): ReadsIntoBuffer | null {
  const own = Object.getOwnPropertySymbols(socket);
  const named = (name: string): symbol | undefined => own.find(({ description }) => description === name);
  const [buffer, callback] = [named("kBuffer"), named("kBufferCb")];
  return buffer && callback && named("kBufferGen") ? { buffer, callback } : null;
}
