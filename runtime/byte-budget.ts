/**
 * The bytes of messages that a process holds at once, on one of its ports or on several together: what has arrived of unfinished requests, and
 * what is worked on. Bytes are counted as they arrive, never as announced, so a peer that announces much and sends nothing takes no room from others.
 */
export class ByteBudget {
  readonly #maxBytes: () => number;
  #usedBytes = 0;

  /** `maxBytes`: the limit, or a function that gives the limit of the moment. */
  constructor(maxBytes: number | (() => number)) {
    this.#maxBytes = typeof maxBytes === "number" ? () => maxBytes : maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes();
  }

  /** Opens an account for one message, which takes bytes as they arrive and must be released once the message is answered. */
  hold(): HeldBytes {
    return new HeldBytes(bytes => this.#change(bytes));
  }

  #change(bytes: number): boolean {
    if (bytes > 0 && this.#usedBytes + bytes > this.#maxBytes()) return false;
    this.#usedBytes += bytes;
    return true;
  }
}

/** The bytes that one message holds of a ByteBudget. */
export class HeldBytes {
  readonly #change: (bytes: number) => boolean;
  #bytes = 0;
  #isReleased = false;

  constructor(change: (bytes: number) => boolean) {
    this.#change = change;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes `bytes` more. False: the budget has no room for them, or the account was released before, and nothing was taken. */
  take(bytes: number): boolean {
    if (this.#isReleased || !this.#change(bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  /** Gives `bytes` back that are no longer needed, at most what is held. */
  give(bytes: number): void {
    const given = Math.min(bytes, this.#bytes);
    this.#bytes -= given;
    this.#change(-given);
  }

  /** Gives everything back; a second call does nothing. */
  release(): void {
    this.give(this.#bytes);
    this.#isReleased = true;
  }
}
