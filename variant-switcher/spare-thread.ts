import type { SessionThread } from "./session-thread.ts";

/** What takes longer is no release any more: the thread is ended, as if it had not been kept. */
const RELEASE_MS = 1000;

/**
 * The thread of a session that was given up for the next one to use: to start a thread and to load the runtime in it takes more time of the
 * core that serves than a small model does. It is kept no longer than one load takes.
 */
export class SpareThread {
  #thread: SessionThread | null = null;
  /** A thread is kept, or is about to be. */
  #isTaken = false;

  get isKept(): boolean {
    return this.#thread !== null;
  }

  /** Frees the thread's model. False: it can't be kept. */
  async keep(thread: SessionThread): Promise<boolean> {
    if (this.#isTaken || !thread.isIdle) return false;
    this.#isTaken = true;
    const { kind } = await thread.ask({ kind: "release" }, [], RELEASE_MS);
    this.#isTaken = kind === "released";
    if (this.#isTaken) this.#thread = thread;
    return this.#isTaken;
  }

  /** Null: there is none. */
  take(): SessionThread | null {
    const thread = this.#thread;
    if (thread === null) return null;
    this.#thread = null;
    this.#isTaken = false;
    return thread.isIdle ? thread : null;
  }

  async close(): Promise<void> {
    await this.take()?.close("not needed");
  }
}
