/** Who waits for a moment to come. */
export class Waiters {
  readonly #resolves = new Set<() => void>();

  /** Resolves when tell() is called, or after so long. */
  wait(maxMs = Number.POSITIVE_INFINITY): Promise<void> {
    return new Promise(resolve => {
      let timer: NodeJS.Timeout | undefined;
      const end = (): void => {
        clearTimeout(timer);
        this.#resolves.delete(end);
        resolve();
      };
      this.#resolves.add(end);
      if (maxMs < Number.POSITIVE_INFINITY) timer = setTimeout(end, maxMs);
    });
  }

  tell(): void {
    for (const end of this.#resolves) end();
  }
}
