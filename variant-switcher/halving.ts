import type { Foresight } from "./foresight.ts";
import { type Begin, type Refuse, type Serving, type TakenBatch, takeBatch } from "./take-batch.ts";
import type { WorkQueue } from "./work-queue.ts";

/** What the halves of a batch may cost of the whole one, … */
const COST = 1.04;
/** … and while there is more work than can be done: another full batch waits, or some was refused before the last so many full batches. */
const BUSY_COST = 1;
const BUSY = 20;
/** One full batch of so many is whole, so that it stays known what a whole one takes. */
const EVERY = 20;

/** Whether full batches are halved: the rows of the first half need not wait for the others then. */
export class Halving {
  readonly #foresight: Foresight;
  #busy = 0;
  #halved = 0;
  /** Rows of the second half of a batch, whose first half was taken last; 0: it was a whole one. */
  #secondHalf = 0;

  constructor(foresight: Foresight) {
    this.#foresight = foresight;
  }

  /** Work was refused because there is too much of it. */
  refused(): void {
    this.#busy = BUSY;
  }

  /** How many rows the session may be given ahead: a full batch, or the second half of one. */
  rowsAhead({ batch }: Serving): number {
    return this.#secondHalf || batch;
  }

  /** As takeBatch(), which halves where that pays. */
  take(queue: WorkQueue, serving: Serving, begin: Begin, refuse: Refuse): TakenBatch | null {
    const half = this.#firstHalf(serving, queue.rows);
    const taken = takeBatch(queue, serving, half, begin, refuse);
    const isHalved = taken !== null && taken.rows === half;
    if (isHalved || taken?.rows === serving.batch) {
      this.#busy = Math.max(0, this.#busy - 1);
      this.#halved = isHalved ? this.#halved + 1 : 0;
    }
    this.#secondHalf = isHalved ? serving.batch - taken.rows : 0;
    return taken;
  }

  /** Rows of the first half of the next batch if it turns out to be full; null: it is to be whole. */
  #firstHalf(serving: Serving, queuedRows: number): number | null {
    const { batch, maxWaitMs } = serving;
    if (batch < 2 || queuedRows < batch || this.#halved >= EVERY - 1) return null;
    if (maxWaitMs > 0 && this.#foresight.paysToWait(serving)) return null;
    const isBusy = queuedRows >= 2 * batch || this.#busy > 0;
    return this.#foresight.costOfHalves(serving) <= (isBusy ? BUSY_COST : COST) ? Math.ceil(batch / 2) : null;
  }
}
