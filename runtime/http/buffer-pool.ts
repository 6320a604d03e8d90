/** Buffers are made in these steps, so that one fits for many sizes; the smallest is a page. */
const SMALLEST_BYTES = 4096;
/** Larger ones waste too much in steps that double. */
const LARGEST_STEP_BYTES = 4 * 1024 * 1024;
/** What is kept of one step for later, at most and at least. */
const KEPT_BYTES = 2 * 1024 * 1024;
const KEPT = 2;
/** What is kept of all steps together, at most, however many sizes there are; one of the largest is kept all the same. */
const TOTAL_BYTES = 16 * 1024 * 1024;

interface Step {
  readonly bytes: number;
  readonly free: ArrayBuffer[];
  /** The pool's clock when a buffer of this step was taken or given last. */
  usedAt: number;
}

/**
 * Buffers to use again, so that a steady load allocates next to nothing: large buffers that come and go faster than the
 * garbage collector looks cost more memory than all else in the process.
 */
export class BufferPool {
  /** A list, as there are few: a Map makes a new table every few times that something is taken out of it. */
  readonly #steps: Step[] = [];
  readonly #maxBytes: number;
  readonly #totalBytes: number;
  #keptBytes = 0;
  #clock = 0;

  /** Buffers for more than `maxBytes` are not kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = stepOf(maxBytes);
    this.#totalBytes = Math.max(TOTAL_BYTES, this.#maxBytes);
  }

  /** A buffer of at least so many bytes, whatever is in it. */
  take(bytes: number): ArrayBuffer {
    const stepBytes = stepOf(bytes);
    const step = this.#find(stepBytes);
    const kept = step?.free.pop();
    if (!step || !kept) return new ArrayBuffer(stepBytes);
    this.#keptBytes -= stepBytes;
    step.usedAt = ++this.#clock;
    return kept;
  }

  /** Takes back what take() gave; its owner must not use it any more. False: it is not kept. */
  give(buffer: ArrayBuffer): boolean {
    const { byteLength } = buffer;
    if (byteLength === 0 || byteLength > this.#maxBytes || stepOf(byteLength) !== byteLength) return false;
    const step = this.#find(byteLength) ?? this.#add(byteLength);
    if (step.free.length >= KEPT && step.free.length * byteLength >= KEPT_BYTES) return false;
    step.free.push(buffer);
    step.usedAt = ++this.#clock;
    this.#keptBytes += byteLength;
    if (this.#keptBytes > this.#totalBytes) this.#shrink();
    return true;
  }

  #find(bytes: number): Step | undefined {
    return this.#steps.find(step => step.bytes === bytes);
  }

  #add(bytes: number): Step {
    const step = { bytes, free: [], usedAt: 0 };
    this.#steps.push(step);
    return step;
  }

  /** Gives up buffers of the sizes that were not used for longest. */
  #shrink(): void {
    for (const { bytes, free } of this.#steps.toSorted((a, b) => a.usedAt - b.usedAt))
      while (this.#keptBytes > this.#totalBytes && free.pop()) this.#keptBytes -= bytes;
  }
}

function stepOf(bytes: number): number {
  if (bytes > LARGEST_STEP_BYTES) return Math.ceil(bytes / LARGEST_STEP_BYTES) * LARGEST_STEP_BYTES;
  return bytes <= SMALLEST_BYTES ? SMALLEST_BYTES : 2 ** (32 - Math.clz32(bytes - 1));
}
