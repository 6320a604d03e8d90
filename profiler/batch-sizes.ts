/** Measured in this order; those up to `ALWAYS` whatever they give. */
const BATCHES = [1, 2, 4, 8, 16] as const;
const ALWAYS = 4;
/** A larger batch is worth trying when the last doubling saved this share of the time for one row. */
const WORTHWHILE = 0.02;

/** @param measured batch sizes so far, ascending. @returns the one to measure next; null: a larger one does not pay. */
export function nextBatch(
  measured: readonly { readonly batch: number; readonly time: { readonly latencyMs: number } }[],
): number | null {
  const largest = measured.at(-1)?.batch ?? 0;
  const next = BATCHES.find(batch => batch > largest) ?? null;
  const [before, last] = measured.map(({ batch, time }) => time.latencyMs / batch).slice(-2);
  if (largest < ALWAYS || before === undefined || last === undefined) return next;
  return last < before * (1 - WORTHWHILE) ? next : null;
}
