import { holdAnswer } from "../answering-server.ts";
import type { ByteBudget, HeldBytes } from "../byte-budget.ts";
import type { HttpResponse } from "../http-server.ts";
import { NoRoom } from "./read-body.ts";

type Make = () => HttpResponse | Promise<HttpResponse>;

interface Sharing {
  readonly held: HeldBytes;
  readonly answer: Promise<HttpResponse>;
  /** The requests that it has not left to yet. */
  requests: number;
}

/**
 * An answer that is made once for all who ask while it is being made, as metrics are: clients that ask together would make the process hold as
 * many long texts as they like. Its bytes count once, until it has left to all of them.
 */
export class SharedAnswer {
  readonly #budget: ByteBudget;
  #sharing: Sharing | null = null;
  #lastBytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /**
   * Calls `make`, unless an answer is being made already.
   *
   * @returns the answer, and what must be called once it has left.
   * @throws NoRoom, or what `make` throws.
   */
  async join(make: Make): Promise<{ readonly answer: HttpResponse; readonly release: () => void }> {
    this.#sharing ??= this.#begin(make);
    const sharing = this.#sharing;
    sharing.requests += 1;
    const release = (): void => {
      sharing.requests -= 1;
      if (sharing.requests === 0) sharing.held.release();
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
    const answer = this.#make(make, held).finally(() => {
      this.#sharing = null;
    });
    return { held, answer, requests: 0 };
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
