/** Types and flags of HTTP/2 frames (RFC 9113, section 6) that say which call bytes belong to and when it ends. */
export const FRAME = { data: 0x0, headers: 0x1, reset: 0x3, continuation: 0x9 } as const;
export const END_STREAM = 0x1;
export const PADDED = 0x8;

const HEADER_BYTES = 9;

/** Reads the headers of HTTP/2 frames from bytes that come in pieces of any size; what is between them is skipped by its length. */
export class FrameHeader {
  type = -1;
  flags = 0;
  streamId = 0;
  /** Bytes of the frame's payload that have not come yet. */
  left: number;
  #filled = 0;
  #length = 0;

  /** @param prefaceBytes so many bytes come before the first frame. */
  constructor(prefaceBytes: number) {
    this.left = prefaceBytes;
  }

  /** Skips what has come of a payload, from `position` on. Returns the position behind it. */
  skip(chunk: Uint8Array, position: number): number {
    const skipped = Math.min(this.left, chunk.length - position);
    this.left -= skipped;
    return position + skipped;
  }

  /** Reads a header from `position` on, as far as it has come, and returns the position behind that. finish() tells whether it was all of it. */
  read(chunk: Uint8Array, position: number): number {
    let at = position;
    while (at < chunk.length && this.#filled < HEADER_BYTES) this.#take(chunk[at++] ?? 0);
    return at;
  }

  /** Tells once whether a header was read to its end, and begins the next one then. */
  finish(): boolean {
    if (this.#filled < HEADER_BYTES) return false;
    this.#filled = 0;
    this.left = this.#length;
    this.streamId &= 0x7fffffff;
    return true;
  }

  #take(byte: number): void {
    if (this.#filled === 0) {
      this.#length = 0;
      this.streamId = 0;
    }
    if (this.#filled < 3) this.#length = this.#length * 256 + byte;
    else if (this.#filled === 3) this.type = byte;
    else if (this.#filled === 4) this.flags = byte;
    else this.streamId = (this.streamId << 8) | byte;
    this.#filled += 1;
  }
}
