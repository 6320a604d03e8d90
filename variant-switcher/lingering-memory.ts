import { Waiters } from "./waiters.ts";

/** Memory of sessions that were given up, but whose threads still work on something and keep it. */
export class LingeringMemory {
  readonly #held = new Map<Promise<void>, number>();
  readonly #ends = new Waiters();

  get memoryMiB(): number {
    return [...this.#held.values()].reduce((sum, memoryMiB) => sum + memoryMiB, 0);
  }

  /** Counts so much until `ended`. */
  add(ended: Promise<void>, memoryMiB: number): void {
    this.#held.set(ended, memoryMiB);
    const forget = (): void => {
      this.#held.delete(ended);
      this.#ends.tell();
    };
    ended.then(forget, forget);
  }

  /** Resolves when one of them has ended, or nobody waits for it any more. */
  untilOneEnds(signal: AbortSignal): Promise<void> {
    return this.#ends.wait(undefined, signal);
  }
}
