import type { VariscaleError } from "../domain/errors.ts";
import type { BufferPool } from "./buffer-pool.ts";
import type { GarbageValve } from "./garbage-valve.ts";
import type { InFlightBytes } from "./in-flight-bytes.ts";

export interface MemoryParts {
  readonly inFlight: InFlightBytes;
  readonly buffers: BufferPool;
  readonly valve: GarbageValve;
}

/** What one request takes of the memory that all have together, until it is answered. */
export class RequestMemory {
  readonly #parts: MemoryParts;
  #charged = 0;
  #garbage = 0;
  #pooled: ArrayBuffer | null = null;
  #isReleased = false;

  constructor(parts: MemoryParts) {
    this.#parts = parts;
  }

  /** Finds room for so many bytes more, less than 0: they are needed no longer; an error: there is none. */
  charge(bytes: number): VariscaleError | null {
    const refusal = this.#parts.inFlight.take(bytes, this.#charged);
    if (!refusal) this.#charged += bytes;
    return refusal;
  }

  /** So many bytes will be garbage beside what was charged, less than 0: so many of these will not. */
  leaves(bytes: number): void {
    this.#garbage += bytes;
  }

  /** Memory for the body, whatever is in it: once. */
  bodyOf(bytes: number): Buffer {
    this.#pooled = this.#parts.buffers.take(bytes);
    return Buffer.from(this.#pooled, 0, bytes);
  }

  /** Gives everything back. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const { inFlight, buffers, valve } = this.#parts;
    inFlight.give(this.#charged);
    if (this.#pooled && !buffers.give(this.#pooled)) this.leaves(this.#pooled.byteLength);
    valve.passed(this.#charged + this.#garbage);
  }
}
