import { wilsonInterval } from "./wilson-interval.ts";

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
  // Of whole numbers, times all trials: exactly 0 where items do not differ, and where there is one alone.
  const squares = sum(tried.map(cluster => (cluster.successes * trials - successes * cluster.trials) ** 2));
  const variance = ((tried.length / (tried.length - 1)) * squares) / trials ** 4;
  const independent = variance > 0 ? (share * (1 - share)) / variance : tried.length;
  const effective = Math.min(trials, independent);
  return wilsonInterval(share * effective, effective);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
