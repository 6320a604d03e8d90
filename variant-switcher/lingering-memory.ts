import type { ResidentSession } from "./residency.ts";
import type { SpareThread } from "./spare-thread.ts";
import { Waiters } from "./waiters.ts";

/** Memory of sessions that were given up, but that still work on something and keep it. */
export class LingeringMemory {
  readonly #sessions = new Set<ResidentSession>();
  /** The MiB of threads whose sessions are closed, by what resolves when they have ended. */
  readonly #held = new Map<Promise<void>, number>();
  readonly #ends = new Waiters();

  get memoryMiB(): number {
    return [...this.#held.values()].reduce((sum, memoryMiB) => sum + memoryMiB, 0);
  }

  /** The sessions that go, and end the batch that they run. They run no further one. */
  get sessions(): Iterable<ResidentSession> {
    return this.#sessions;
  }

  /** Closes a session when the batch that it runs has ended. */
  async end(resident: ResidentSession, batchEnded: Promise<void>, thread?: SpareThread): Promise<void> {
    this.#sessions.add(resident);
    try {
      await batchEnded;
      await resident.session.close(thread);
    } finally {
      this.#sessions.delete(resident);
    }
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
