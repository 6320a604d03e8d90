/** Memory of sessions that were given up, but whose threads still work on something and keep it. */
export class LingeringMemory {
  readonly #held = new Map<Promise<void>, number>();

  get memoryMiB(): number {
    return [...this.#held.values()].reduce((sum, memoryMiB) => sum + memoryMiB, 0);
  }

  /** Counts so much until `ended`. */
  add(ended: Promise<void>, memoryMiB: number): void {
    this.#held.set(ended, memoryMiB);
    const forget = (): void => void this.#held.delete(ended);
    ended.then(forget, forget);
  }

  /** Resolves when one of them has ended, or nobody waits for it any more. */
  async untilOneEnds(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    let abort: () => void = () => undefined;
    const aborted = new Promise<void>(resolve => {
      abort = resolve;
    });
    signal.addEventListener("abort", abort, { once: true });
    await Promise.race([...this.#held.keys(), aborted]);
    signal.removeEventListener("abort", abort);
  }
}
