import type { RequestScope } from "./request-scope.ts";

export interface AdmissionLimits {
  /** Requests that are worked on at the same time. */
  readonly concurrency: number;
  /** Requests that wait for that. */
  readonly queue: number;
}

/** Lets a bounded number of requests in, in the order of their arrival, and a bounded number wait. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #queue = new Set<() => void>();
  #running = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get queued(): number {
    return this.#queue.size;
  }

  /**
   * Runs `work` when it is its turn. Ends `scope` instead when the queue is full, and does not start when `scope` ended while
   * it waited: both give null.
   */
  async run<T>(scope: RequestScope, work: () => Promise<T>): Promise<T | null> {
    const isFree = this.#running < this.#limits.concurrency;
    if (!isFree && this.#queue.size >= this.#limits.queue) {
      scope.end({ kind: "dropped", reason: "queue_full", message: "the gateway's queue is full" });
      return null;
    }
    if (isFree) this.#running += 1;
    else if (!(await this.#turn(scope))) return null;
    try {
      return scope.failure === null ? await work() : null;
    } finally {
      this.#leave();
    }
  }

  /** Whether the place of one that left was handed over. */
  async #turn(scope: RequestScope): Promise<boolean> {
    let enter = (): void => {};
    const entered = new Promise<true>(resolve => {
      enter = () => resolve(true);
    });
    this.#queue.add(enter);
    scope.waitsFor = "queue_full";
    const isIn = await Promise.race([entered, scope.ended.then(() => !this.#queue.delete(enter))]);
    scope.waitsFor = "deadline";
    return isIn;
  }

  #leave(): void {
    const [next] = this.#queue;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#queue.delete(next);
    next();
  }
}
