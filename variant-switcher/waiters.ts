/** Who waits for a moment to come. */
export class Waiters {
  readonly #ends = new Set<() => void>();

  /** Resolves when tell() is called, after so long, or when `signal` is aborted. */
  wait(maxMs = Number.POSITIVE_INFINITY, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise(resolve => {
      let timer: NodeJS.Timeout | undefined;
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        this.#ends.delete(end);
        resolve();
      };
      this.#ends.add(end);
      signal?.addEventListener("abort", end);
      if (maxMs < Number.POSITIVE_INFINITY) timer = setTimeout(end, maxMs);
    });
  }

  tell(): void {
    for (const end of this.#ends) end();
  }
}
