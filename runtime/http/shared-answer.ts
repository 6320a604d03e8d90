import { holdAnswer } from "../answering-server.ts";
import type { ByteBudget, HeldBytes } from "../byte-budget.ts";
import type { HttpResponse } from "../http-server.ts";
import { NoRoom } from "./read-body.ts";

/**
 * How old an answer may be that is handed on where there is no room for a new one. It is longer than the slowest reader of a long text has, so one
 * that reads nothing shuts nobody out; and it is bounded, so that readers that follow each other can't keep metrics at what they were for ever.
 */
const MOST_AGE_MS = 180_000;

type Make = () => HttpResponse | Promise<HttpResponse>;

interface Sharing {
  readonly held: HeldBytes;
  readonly answer: Promise<HttpResponse>;
  readonly begunMs: number;
  /** The requests that it has not left to yet. */
  requests: number;
}

/**
 * An answer that is made once for all who ask while it is being made, as metrics are: clients that ask together would make the process hold as
 * many long texts as they like. Its bytes count once, until it has left to all of them; those who ask in that time get it too, where a new one has
 * no room beside it.
 */
export class SharedAnswer {
  readonly #budget: ByteBudget;
  readonly #nowMs: () => number;
  #making: Sharing | null = null;
  /** The newest answer that has not left to all yet. */
  #kept: Sharing | null = null;
  #lastBytes = 0;

  /** @param nowMs milliseconds that never go back. */
  constructor(budget: ByteBudget, nowMs: () => number = () => performance.now()) {
    this.#budget = budget;
    this.#nowMs = nowMs;
  }

  /**
   * Calls `make`, unless an answer is being made already.
   *
   * @returns the answer, and what must be called once it has left.
   * @throws NoRoom, or what `make` throws.
   */
  async join(make: Make): Promise<{ readonly answer: HttpResponse; readonly release: () => void }> {
    try {
      this.#making ??= this.#begin(make);
      return await this.#take(this.#making);
    } catch (error) {
      const kept = this.#kept;
      if (!(error instanceof NoRoom) || !kept || this.#nowMs() - kept.begunMs > MOST_AGE_MS) throw error;
      return this.#take(kept);
    }
  }

  async #take(sharing: Sharing): ReturnType<SharedAnswer["join"]> {
    sharing.requests += 1;
    const release = (): void => {
      sharing.requests -= 1;
      if (sharing.requests > 0) return;
      sharing.held.release();
      if (this.#kept === sharing) this.#kept = null;
    };
    try {
      return { answer: await sharing.answer, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #begin(make: Make): Sharing {
    const held = this.#budget.hold();
    const answer = this.#make(make, held)
      .then(made => {
        this.#kept = sharing;
        return made;
      })
      .finally(() => {
        this.#making = null;
      });
    const sharing: Sharing = { held, answer, begunMs: this.#nowMs(), requests: 0 };
    return sharing;
  }

  async #make(make: Make, held: HeldBytes): Promise<HttpResponse> {
    // The new answer will be about as long as the last one: where that has no room, the work is spared.
    if (!holdAnswer(held, this.#lastBytes)) throw new NoRoom();
    const answer = await make();
    // Node would copy a text for each connection that it is sent to.
    const body = answer.body instanceof Uint8Array ? answer.body : Buffer.from(String(answer.body));
    held.give(held.bytes);
    if (!holdAnswer(held, body.length)) throw new NoRoom();
    this.#lastBytes = body.length;
    return { ...answer, body };
  }
}
