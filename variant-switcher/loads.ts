interface Load {
  readonly variant: string;
  /** 0 until there is room for it. */
  memoryMiB: number;
  /** Never rejects. */
  done: Promise<unknown>;
}

/** `at once`: for what nobody can wait for. */
export type LoadOrder = "in turn" | "at once";

/** What a load may say of itself while it is on its way. */
export type TellMemory = (memoryMiB: number) => void;

/**
 * Loads on their way: one after the other, so that each finds the memory that the one before it has left. What is to begin
 * at once does so beside them, but never beside one of the same variant.
 */
export class Loads {
  readonly #running = new Set<Load>();
  /** Of what waits or loads. */
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  isLoading(variant: string): boolean {
    return [...this.#running].some(load => load.variant === variant);
  }

  get variants(): readonly string[] {
    return Array.from(this.#running, ({ variant }) => variant);
  }

  /** What those of other variants need that room was made for. */
  memoryMiBBeside(variant: string): number {
    return [...this.#running].reduce((sum, load) => sum + (load.variant === variant ? 0 : load.memoryMiB), 0);
  }

  /** `begin` is called when its turn has come, and is given the way to say what memory it will need. Null: `signal` or close() came before. */
  async run<T>(
    variant: string,
    order: LoadOrder,
    signal: AbortSignal,
    begin: (ended: AbortSignal, tell: TellMemory) => Promise<T>,
  ): Promise<T | null> {
    // Linked by hand: a signal of AbortSignal.any() would be remembered for as long as this lives.
    const own = new AbortController();
    const abort = (): void => own.abort();
    signal.addEventListener("abort", abort, { once: true });
    this.#underWay.add(own);
    try {
      // Whoever finds that its turn has come has to take it before anybody else looks.
      for (let wait = this.#before(variant, order); wait !== null; wait = this.#before(variant, order)) await wait;
      if (signal.aborted || own.signal.aborted || this.#closed) return null;
      return await this.#begin(variant, tell => begin(own.signal, tell));
    } finally {
      this.#underWay.delete(own);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Ends all; resolves when none is on its way any more. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const own of this.#underWay) own.abort();
    while (this.#running.size > 0) await Promise.all(Array.from(this.#running, ({ done }) => done));
  }

  /** Resolves when what has to be waited for has ended; null: nothing. */
  #before(variant: string, order: LoadOrder): Promise<unknown> | null {
    const before = [...this.#running].filter(load => order === "in turn" || load.variant === variant);
    return before.length === 0 ? null : Promise.all(before.map(({ done }) => done));
  }

  async #begin<T>(variant: string, begin: (tell: TellMemory) => Promise<T>): Promise<T> {
    const load: Load = { variant, memoryMiB: 0, done: Promise.resolve() };
    this.#running.add(load);
    const begun = begin(memoryMiB => {
      load.memoryMiB = memoryMiB;
    });
    load.done = begun.catch(() => undefined);
    try {
      return await begun;
    } finally {
      this.#running.delete(load);
    }
  }
}
