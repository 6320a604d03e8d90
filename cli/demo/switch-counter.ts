/**
 * Adds up the Switches of all switchers since the first look at them, also of those that have gone or were started again since. What
 * a switcher serves first is none: nothing was replaced.
 */
export class SwitchCounter {
  readonly #last = new Map<string, number>();
  #total: number | null = null;

  /** Switches from the first call until now. */
  observe(switchers: readonly { readonly pod: string; readonly switches: number }[]): number {
    let more = 0;
    for (const { pod, switches: all } of switchers) {
      const switches = Math.max(0, all - 1);
      const last = this.#last.get(pod) ?? 0;
      // Fewer than before: it is a new process, which counts from 0.
      more += switches >= last ? switches - last : switches;
      this.#last.set(pod, switches);
    }
    this.#total = this.#total === null ? 0 : this.#total + more;
    return this.#total;
  }
}
