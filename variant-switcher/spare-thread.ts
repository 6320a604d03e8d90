import type { SessionThread } from "./session-thread.ts";

/** A thread with the runtime and no model. */
const THREAD_MIB = 8;
/** What takes longer is no release any more: the thread is ended, as if it had not been kept. */
const RELEASE_MS = 1000;

/**
 * The thread of a session that was given up for the next one to use: to start a thread and to load the runtime in it takes more time of the
 * core that serves than a small model does. It is kept no longer than one load takes.
 */
export class SpareThread {
  #thread: SessionThread | null = null;

  /** What a load in it does not add to the process, but its session holds. */
  get memoryMiB(): number {
    return this.#thread === null ? 0 : THREAD_MIB;
  }

  /** Frees the thread's model. False: it can't be kept. */
  async keep(thread: SessionThread): Promise<boolean> {
    if (this.#thread || !thread.isIdle) return false;
    this.#thread = thread;
    const reply = await thread.ask({ kind: "release" }, [], RELEASE_MS);
    if (reply.kind === "released" && this.#thread === thread) return true;
    if (this.#thread === thread) this.#thread = null;
    return false;
  }

  /** Null: there is none. */
  take(): SessionThread | null {
    const thread = this.#thread;
    this.#thread = null;
    return thread && !thread.isLost ? thread : null;
  }

  async close(): Promise<void> {
    await this.take()?.close("not needed");
  }
}
