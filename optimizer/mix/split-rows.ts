/** The rows of a stage by the rungs that serve them. */
export interface RowSplit {
  /** The share of each rung of the rows that are served, in their order. */
  readonly shares: readonly number[];
  /** The share of all rows that the rungs carry together. */
  readonly served: number;
}

/**
 * Splits the rows of a stage between the two rungs next to what its replicas carry, so that they use all their time: the heaviest serves alone where it
 * carries all rows, and the lightest where not even that does. Worked: of 40 rows a second, where a heavy rung carries 20 and a light one 80, a
 * third goes to the heavy one.
 *
 * @param carriedRps rows a second that all replicas carry by each rung alone, rising; at least one.
 */
export function splitRows(carriedRps: readonly number[], rowsRps: number): RowSplit {
  const shares = carriedRps.map(() => 0);
  const at = carriedRps.findIndex(rps => rps >= rowsRps);
  const lighter = at < 0 ? carriedRps.length - 1 : at;
  const lighterRps = carriedRps[lighter] as number;
  shares[lighter] = 1;
  if (at < 0) return { shares, served: lighterRps / rowsRps };
  if (at > 0) {
    // By the time of a row: together they take all the time that there is.
    const heavierMs = 1 / (carriedRps[at - 1] as number);
    const share = (1 / rowsRps - 1 / lighterRps) / (heavierMs - 1 / lighterRps);
    shares[at - 1] = share;
    shares[at] = 1 - share;
  }
  return { shares, served: 1 };
}
