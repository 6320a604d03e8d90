/** Answers of more words are not given. */
const MAX_WORDS = 6;

/** Words of a passage, both included, and how sure it is that they are the answer. */
export interface Span {
  readonly first: number;
  readonly last: number;
  /** 0 to 1. */
  readonly probability: number;
}

/**
 * The likeliest words from `firstSlot` on, of `count`; the first of those that are equally likely. Beginning and end are taken as
 * independent.
 *
 * @param starts probability of each slot to be where the answer begins; `ends`: where it ends.
 * @returns null where there is no word.
 */
export function bestSpan(starts: Float32Array, ends: Float32Array, firstSlot: number, count: number): Span | null {
  let best: Span | null = null;
  for (let first = 0; first < count; first++) {
    const start = probabilityAt(starts, firstSlot + first);
    for (let last = first; last < Math.min(count, first + MAX_WORDS); last++) {
      const probability = start * probabilityAt(ends, firstSlot + last);
      if (best === null || probability > best.probability) best = { first, last, probability };
    }
  }
  return best;
}

/** What is no number is not likely. */
export function probabilityAt(values: Float32Array, slot: number): number {
  const value = values[slot] ?? 0;
  return value > 0 ? Math.min(1, value) : 0;
}
