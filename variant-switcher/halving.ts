import type { Foresight } from "./foresight.ts";
import { type Begin, type Refuse, type Serving, type TakenBatch, takeBatch } from "./take-batch.ts";
import type { WorkQueue } from "./work-queue.ts";

/** So many full batches are whole after work was refused: there is more of it than can be done, and halves cost a little. */
const WHOLES = 20;
/** One full batch of so many is whole, so that it stays known what a whole one takes. */
const EVERY = 20;

/** Whether full batches are halved: the rows of the first half need not wait for the others then. */
export class Halving {
  readonly #foresight: Foresight;
  #wholes = 0;
  #halved = 0;
  /** Rows of the second half of a batch, whose first half was taken last; 0: it was a whole one. */
  #secondHalf = 0;

  constructor(foresight: Foresight) {
    this.#foresight = foresight;
  }

  /** Work was refused because there is too much of it. */
  refused(): void {
    this.#wholes = WHOLES;
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
      this.#wholes = Math.max(0, this.#wholes - 1);
      this.#halved = isHalved ? this.#halved + 1 : 0;
    }
    this.#secondHalf = isHalved ? serving.batch - taken.rows : 0;
    return taken;
  }

  /** Rows of the first half of the next batch if it turns out to be full; null: it is to be whole, as another full one waits behind it. */
  #firstHalf(serving: Serving, queuedRows: number): number | null {
    const { batch } = serving;
    if (batch < 2 || queuedRows < batch || queuedRows >= 2 * batch) return null;
    if (this.#wholes > 0 || this.#halved >= EVERY - 1 || !this.#foresight.paysToHalve(serving)) return null;
    return Math.ceil(batch / 2);
  }
}
