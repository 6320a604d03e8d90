/** Buffers are made in these steps, so that one fits for many sizes; the smallest is a page. */
const SMALLEST_BYTES = 4096;
/** Larger ones waste too much in steps that double. */
const LARGEST_STEP_BYTES = 4 * 1024 * 1024;
/** What is kept of one step for later, at most and at least. */
const KEPT_BYTES = 2 * 1024 * 1024;
const KEPT = 2;
/** What is kept of all steps together, at most, however many sizes there are; one of the largest is kept all the same. */
const TOTAL_BYTES = 16 * 1024 * 1024;

/**
 * Buffers to use again, so that a steady load allocates next to nothing: large buffers that come and go faster than the
 * garbage collector looks cost more memory than all else in the process.
 */
export class BufferPool {
  readonly #free = new Map<number, ArrayBuffer[]>();
  readonly #maxBytes: number;
  readonly #totalBytes: number;
  #keptBytes = 0;

  /** Buffers for more than `maxBytes` are not kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = stepOf(maxBytes);
    this.#totalBytes = Math.max(TOTAL_BYTES, this.#maxBytes);
  }

  /** A buffer of at least so many bytes, whatever is in it. */
  take(bytes: number): ArrayBuffer {
    const step = stepOf(bytes);
    const free = this.#free.get(step);
    const kept = free?.pop();
    if (!free || !kept) return new ArrayBuffer(step);
    this.#keptBytes -= step;
    // What was asked for last is given up last.
    this.#free.delete(step);
    this.#free.set(step, free);
    return kept;
  }

  /** Takes back what take() gave; its owner must not use it any more. */
  give(buffer: ArrayBuffer): void {
    const { byteLength } = buffer;
    if (byteLength === 0 || byteLength > this.#maxBytes || stepOf(byteLength) !== byteLength) return;
    const free = this.#free.get(byteLength) ?? [];
    if (free.length >= KEPT && free.length * byteLength >= KEPT_BYTES) return;
    free.push(buffer);
    this.#keptBytes += byteLength;
    this.#free.delete(byteLength);
    this.#free.set(byteLength, free);
    this.#shrink();
  }

  /** Gives up buffers of the sizes that were not used for longest. */
  #shrink(): void {
    for (const [step, free] of this.#free) {
      while (this.#keptBytes > this.#totalBytes && free.pop()) this.#keptBytes -= step;
      if (this.#keptBytes <= this.#totalBytes) return;
      this.#free.delete(step);
    }
  }
}

function stepOf(bytes: number): number {
  if (bytes > LARGEST_STEP_BYTES) return Math.ceil(bytes / LARGEST_STEP_BYTES) * LARGEST_STEP_BYTES;
  return Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
}
