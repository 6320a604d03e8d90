/** Vectors of one length, one after the other in `values`; smaller is better in every entry. */
export interface Vectors {
  readonly values: Float64Array;
  readonly length: number;
}

/** Sets this small are compared one by one. */
const FEW = 16;

/**
 * Which vectors no other one is as good as in every entry; of equal ones the first. They must be in lexicographic order, so that only
 * those before a vector can be as good. Divide and conquer over the entries (Kung, Luccio and Preparata 1975; Bentley 1980): in place of
 * n² comparisons about n·log n for up to three entries, and a factor of log n more for each further one.
 *
 * @returns by vector 1 where another one is as good.
 */
export function beatenOf(vectors: Vectors): Uint8Array {
  const count = vectors.length === 0 ? 0 : vectors.values.length / vectors.length;
  const beaten = new Uint8Array(count);
  visit(vectors, beaten, 0, count);
  return beaten;
}

function visit(vectors: Vectors, beaten: Uint8Array, from: number, to: number): void {
  if (to - from <= FEW) {
    for (let i = from + 1; i < to; i++) for (let k = from; k < i && !beaten[i]; k++) compare(vectors, beaten, k, i, 1);
    return;
  }
  const middle = (from + to) >> 1;
  visit(vectors, beaten, from, middle);
  visit(vectors, beaten, middle, to);
  beat(vectors, beaten, unbeaten(beaten, from, middle), unbeaten(beaten, middle, to), 1);
}

function unbeaten(beaten: Uint8Array, from: number, to: number): number[] {
  const indices: number[] = [];
  for (let i = from; i < to; i++) if (!beaten[i]) indices.push(i);
  return indices;
}

/** Marks those of `others` that one of `by` is as good as in the entries from `entry` on; in those before it every one is. */
function beat(
  vectors: Vectors,
  beaten: Uint8Array,
  by: readonly number[],
  others: readonly number[],
  entry: number,
): void {
  const { values, length } = vectors;
  if (by.length === 0 || others.length === 0) return;
  const at = (i: number) => values[i * length + entry] ?? 0;
  if (entry >= length) for (const other of others) beaten[other] = 1;
  else if (entry === length - 1) {
    const least = by.reduce((low, i) => Math.min(low, at(i)), Number.POSITIVE_INFINITY);
    for (const other of others) if (at(other) >= least) beaten[other] = 1;
  } else if (by.length * others.length <= FEW * FEW) {
    for (const other of others)
      for (let k = 0; k < by.length && !beaten[other]; k++) compare(vectors, beaten, by[k] ?? 0, other, entry);
  } else if (entry === length - 2) sweep(vectors, beaten, by, others, entry);
  else {
    const pivot = pivotOf(vectors, entry, by, others);
    if (pivot === null) {
      beat(vectors, beaten, by, others, entry + 1);
      return;
    }
    const [low, high] = parted(by, i => at(i) <= pivot);
    const [othersLow, othersHigh] = parted(others, i => at(i) <= pivot);
    beat(vectors, beaten, low, othersLow, entry);
    beat(vectors, beaten, low, othersHigh, entry + 1);
    beat(
      vectors,
      beaten,
      high,
      othersHigh.filter(i => !beaten[i]),
      entry,
    );
  }
}

/** The last two entries: in the order of the first of them, the least of the second so far. */
function sweep(
  { values, length }: Vectors,
  beaten: Uint8Array,
  by: readonly number[],
  others: readonly number[],
  entry: number,
): void {
  const at = (i: number) => values[i * length + entry] ?? 0;
  const sorted = [...by].sort((a, b) => at(a) - at(b));
  let next = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const other of [...others].sort((a, b) => at(a) - at(b))) {
    for (; next < sorted.length && at(sorted[next] ?? 0) <= at(other); next++)
      least = Math.min(least, values[(sorted[next] ?? 0) * length + entry + 1] ?? 0);
    if ((values[other * length + entry + 1] ?? 0) >= least) beaten[other] = 1;
  }
}

function compare({ values, length }: Vectors, beaten: Uint8Array, by: number, other: number, entry: number): void {
  for (let e = entry; e < length; e++) if ((values[by * length + e] ?? 0) > (values[other * length + e] ?? 0)) return;
  beaten[other] = 1;
}

/** A value that some are above and the others not, about in the middle; null: all are equal. */
function pivotOf(
  { values, length }: Vectors,
  entry: number,
  by: readonly number[],
  others: readonly number[],
): number | null {
  const all = new Float64Array(by.length + others.length);
  for (const [k, i] of by.entries()) all[k] = values[i * length + entry] ?? 0;
  for (const [k, i] of others.entries()) all[by.length + k] = values[i * length + entry] ?? 0;
  all.sort();
  const middle = all[all.length >> 1] ?? 0;
  if (middle < (all.at(-1) ?? 0)) return middle;
  const below = all.findLastIndex(value => value < middle);
  return below < 0 ? null : (all[below] ?? null);
}

function parted(indices: readonly number[], isLow: (i: number) => boolean): [number[], number[]] {
  const low: number[] = [];
  const high: number[] = [];
  for (const i of indices) (isLow(i) ? low : high).push(i);
  return [low, high];
}
