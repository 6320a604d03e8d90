/** The rows of a stage by the two rungs that serve them. */
export interface RowSplit {
  /** Index of the lighter one. */
  readonly lighter: number;
  /** The share of the rows that the next heavier one serves, of those that both do; the lighter one serves the others. */
  readonly heavierShare: number;
  /** The share of all rows that they carry together. */
  readonly served: number;
}

/**
 * Splits the rows of a stage between the two rungs next to what its replicas carry, so that they use all their time: the heaviest serves alone where it
 * carries all rows, and the lightest where not even that does. Worked: of 40 rows a second, where a heavy rung carries 20 and a light one 80, a
 * third goes to the heavy one.
 *
 * @param rungRps rows a second that one replica carries by each rung alone, rising; at least one.
 * @param into what to write the result to, where very many are needed one after the other.
 */
export function splitRows(
  rungRps: readonly number[],
  replicas: number,
  rowsRps: number,
  into: { -readonly [K in keyof RowSplit]: RowSplit[K] } = { lighter: 0, heavierShare: 0, served: 1 },
): RowSplit {
  const last = rungRps.length - 1;
  let lighter = 0;
  while (lighter < last && replicas * (rungRps[lighter] as number) < rowsRps) lighter++;
  const lighterRps = replicas * (rungRps[lighter] as number);
  into.lighter = lighter;
  into.heavierShare = 0;
  into.served = lighterRps < rowsRps ? lighterRps / rowsRps : 1;
  if (lighter === 0 || lighterRps < rowsRps) return into;
  // By the time of a row: together they take all the time that there is.
  const heavierMs = 1 / (replicas * (rungRps[lighter - 1] as number));
  into.heavierShare = (1 / rowsRps - 1 / lighterRps) / (heavierMs - 1 / lighterRps);
  return into;
}

/** The share of one rung of the rows that are served. */
export function readShare({ lighter, heavierShare }: RowSplit, rung: number): number {
  if (rung === lighter) return 1 - heavierShare;
  return rung === lighter - 1 ? heavierShare : 0;
}
