/** Share of the pod's memory from which on growth counts as a leak: half of what is kept free. */
const LEAK = 0.04;

export interface MemoryState {
  /** Of the pod. */
  readonly memoryMiB: number;
  /** That the process should stay below. */
  readonly usableMiB: number;
  readonly rssMiB: number;
  /** What all sessions are taken to hold, … */
  readonly heldMiB: number;
  /** … and the part of it that can be given up. */
  readonly spareMiB: number;
  /** Of the session that serves, and so of the one in its place. */
  readonly neededMiB: number;
}

/**
 * Whether the session that serves has to be replaced now, because there would be no room for another one beside it later. Only one that
 * leaks is: the process has grown by more than its sessions are taken to hold since that one serves, and as long as there is room it may.
 */
export class LeakWatch {
  #session: object | null = null;
  /** The least that the process had beside what its sessions are taken to hold, since this session serves. */
  #leastMiB = Number.POSITIVE_INFINITY;

  isDue(session: object, state: MemoryState): boolean {
    const { memoryMiB, usableMiB, rssMiB, heldMiB, spareMiB, neededMiB } = state;
    const besideMiB = rssMiB - heldMiB;
    this.#leastMiB = session === this.#session ? Math.min(this.#leastMiB, besideMiB) : besideMiB;
    this.#session = session;
    const isLeaking = besideMiB - this.#leastMiB >= LEAK * memoryMiB;
    return isLeaking && rssMiB - spareMiB + neededMiB > usableMiB;
  }
}
