/** More than this many buffers are never of use: one batch runs at a time. */
const KEPT = 4;

/**
 * Buffers to use again, so that a steady load allocates next to nothing: large buffers that come and go faster than the
 * garbage collector looks cost more memory than all else in the process.
 */
export class BufferPool {
  readonly #free: ArrayBuffer[] = [];
  readonly #maxBytes: number;

  /** Buffers larger than `maxBytes` are not kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A buffer of at least so many bytes, whatever is in it. */
  take(bytes: number): ArrayBuffer {
    // One that is far too large would keep its memory from those who need it.
    const at = this.#free.findIndex(({ byteLength }) => byteLength >= bytes && byteLength <= 4 * bytes + 4096);
    const [found] = at < 0 ? [] : this.#free.splice(at, 1);
    return found ?? new ArrayBuffer(bytes);
  }

  give(buffer: ArrayBuffer): void {
    if (buffer.byteLength === 0 || buffer.byteLength > this.#maxBytes) return;
    if (this.#free.length >= KEPT) this.#free.shift();
    this.#free.push(buffer);
  }
}
