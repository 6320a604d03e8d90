/**
 * The never-falling sequence that is nearest to `values` in the sum of squares: pool adjacent violators (Ayer et al. 1955).
 * A larger batch can't be faster; where it was measured so, that was noise, and both get their mean.
 *
 * Worked example: 10, 14, 12, 20 becomes 10, 13, 13, 20.
 */
export function neverFalling(values: readonly number[]): number[] {
  const pools: { sum: number; count: number }[] = [];
  for (const value of values) {
    let pool = { sum: value, count: 1 };
    for (let last = pools.at(-1); last && last.sum / last.count > pool.sum / pool.count; last = pools.at(-1)) {
      pool = { sum: pool.sum + last.sum, count: pool.count + last.count };
      pools.pop();
    }
    pools.push(pool);
  }
  return pools.flatMap(({ sum, count }) => new Array<number>(count).fill(sum / count));
}
