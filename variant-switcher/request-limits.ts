import { ByteBudget } from "../runtime/byte-budget.ts";
import type { SwitcherConfig } from "./config.ts";

const MIB = 1024 * 1024;
/** A request has names and shapes around the inputs that the queue counts. */
const AROUND_BYTES = MIB;
/** Requests are read and answered beside those that wait in the queue. */
const QUEUES = 2;

/** How much memory the requests of a switcher may have, over all transports. */
export class RequestLimits {
  /** The largest request fits into an empty queue. */
  readonly maxRequestBytes: number;
  readonly budget: ByteBudget;
  readonly #queueBytes: number;
  readonly #leftMiB: () => number;

  /** `leftMiB` says how much memory the pod has left. */
  constructor({ queue }: Pick<SwitcherConfig, "queue">, leftMiB: () => number) {
    this.#queueBytes = queue.maxBytes;
    this.#leftMiB = leftMiB;
    this.maxRequestBytes = queue.maxBytes + AROUND_BYTES;
    // A request that is alone has room however little memory is left: a switcher that refuses every request is of no use.
    this.budget = new ByteBudget(() => Math.max(this.maxParsedBytes, this.maxRequestBytes));
  }

  /**
   * The most bytes that a request may become when it is parsed, also where it is alone: JSON becomes many times its size. Half of the memory that is
   * left at most, so that what is read does not end the process, but room for a small request in any case.
   */
  get maxParsedBytes(): number {
    return Math.max(AROUND_BYTES, Math.min(this.#queueBytes * QUEUES, (this.#leftMiB() * MIB) / 2));
  }
}
