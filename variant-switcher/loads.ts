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

  /** `begin` is called when its turn has come, and is given the way to say what memory it will need. */
  async run<T>(variant: string, order: LoadOrder, begin: (tell: TellMemory) => Promise<T>): Promise<T> {
    for (;;) {
      const before = [...this.#running].filter(load => order === "in turn" || load.variant === variant);
      if (before.length === 0) break;
      await Promise.all(before.map(({ done }) => done));
    }
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

  /** Resolves when none is on its way. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(Array.from(this.#running, ({ done }) => done));
  }
}
