/** What a switcher says of its batches, counted since it started. */
interface Batches {
  readonly batches: number;
  readonly rows: number;
}

/** Adds up the batches of each stage's switchers since the first look at them, also of those that have gone or were started again since. */
export class BatchCounter {
  /** By stage and pod. */
  readonly #last = new Map<string, Batches>();
  readonly #totals = new Map<string, Batches>();
  #isFirst = true;

  /** By stage, batches and their rows from the first call until now. */
  observe(
    switchers: readonly { readonly stage: string; readonly pod: string; readonly servedBatches: Batches }[],
  ): Readonly<Record<string, Batches>> {
    for (const { stage, pod, servedBatches: now } of switchers) {
      const id = `${stage}/${pod}`;
      const before = this.#last.get(id);
      this.#last.set(id, now);
      if (this.#isFirst) continue;
      // Fewer than before: it is a new process, which counts from 0.
      const from = before && before.batches <= now.batches ? before : { batches: 0, rows: 0 };
      const total = this.#totals.get(stage) ?? { batches: 0, rows: 0 };
      this.#totals.set(stage, {
        batches: total.batches + now.batches - from.batches,
        rows: total.rows + now.rows - from.rows,
      });
    }
    this.#isFirst = false;
    return Object.fromEntries(this.#totals);
  }
}
