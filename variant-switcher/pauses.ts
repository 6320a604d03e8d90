/** The pauses that one load waits for, so that it does not share the core with a batch that runs. */
export class Pauses {
  readonly #next: (() => Promise<void>) | null;
  #waitedMs = 0;

  /** @param next resolves when the next one has come, or soon; null: the load takes no core here. */
  constructor(next: (() => Promise<void>) | null) {
    this.#next = next;
  }

  /** For all of them together, up to now. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  async wait(): Promise<void> {
    const fromMs = performance.now();
    await this.#next?.();
    this.#waitedMs += performance.now() - fromMs;
  }
}
