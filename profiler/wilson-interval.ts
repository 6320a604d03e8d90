/** The 0.975 quantile of the normal distribution. */
const Z = 1.959964;

/**
 * 95 % confidence interval of a proportion (Wilson 1927): good also near 0 and 1, where the textbook interval is not.
 *
 * Worked example: 9 of 10 gives 0.596 to 0.982.
 */
export function wilsonInterval(successes: number, trials: number): readonly [number, number] {
  const share = successes / trials;
  const denominator = 1 + Z ** 2 / trials;
  const centre = (share + Z ** 2 / (2 * trials)) / denominator;
  const half = (Z / denominator) * Math.sqrt((share * (1 - share)) / trials + Z ** 2 / (4 * trials ** 2));
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}

/** Answers to one item: how many there are, and how many of them count. */
export interface Cluster {
  readonly successes: number;
  readonly trials: number;
}

/**
 * 95 % confidence interval of a proportion where several trials are of one item, and so alike: Wilson's, with as many trials as independent
 * ones would be as certain (Korn and Graubard 1998; the variance is Cochran's of a ratio). Where items do not
 * differ that is the number of items.
 *
 * Worked example: of 4 items with 10 trials each, 2 have successes alone and 2 none: as certain as 3 independent trials, 0.125 to 0.875. As
 * 20 of 40 it would be 0.352 to 0.648.
 */
export function clusteredInterval(clusters: readonly Cluster[]): readonly [number, number] {
  const tried = clusters.filter(({ trials }) => trials > 0);
  const trials = sum(tried.map(cluster => cluster.trials));
  const successes = sum(tried.map(cluster => cluster.successes));
  const share = successes / trials;
  // Whole numbers, times all trials, are exactly 0 where items do not differ, and where there is one alone.
  const squares = sum(tried.map(cluster => (cluster.successes * trials - successes * cluster.trials) ** 2));
  const variance = ((tried.length / (tried.length - 1)) * squares) / trials ** 4;
  const independent = variance > 0 ? (share * (1 - share)) / variance : tried.length;
  const effective = Math.min(trials, independent);
  return wilsonInterval(share * effective, effective);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
