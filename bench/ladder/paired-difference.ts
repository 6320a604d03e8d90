/** How much more of the same requests one contender answers right and in time than another one. */

/** Two runs under the same arrivals: `good` has a `1` for each request that was right and within the SLO. */
export interface PairedRuns {
  readonly arrivalsMs: readonly number[];
  readonly ours: string;
  readonly theirs: string;
}

export interface PairedDifference {
  /** In points of all requests. */
  readonly points: number;
  /** The upper end of the one-sided 95 % interval. */
  readonly upperPoints: number;
  readonly requests: number;
}

/** Requests that come close to each other meet the same queue: they count as one look at it. */
const BLOCK_MS = 5000;
/** The 0.95 quantile of the standard normal distribution. */
const QUANTILE_95 = 1.645;

/**
 * The mean difference by request over all runs, with the standard error of a mean of dependent values: differences are summed by blocks of 5 s, and
 * blocks are taken to be independent (Liang and Zeger, Biometrika 73, 1986).
 *
 * @throws where runs do not have the same requests.
 */
export function comparePaired(runs: readonly PairedRuns[]): PairedDifference {
  const blocks = runs.flatMap(sumByBlock);
  const requests = blocks.reduce((sum, block) => sum + block.requests, 0);
  const mean = blocks.reduce((sum, block) => sum + block.difference, 0) / requests;
  const squares = blocks.reduce((sum, block) => sum + (block.difference - mean * block.requests) ** 2, 0);
  const count = blocks.length;
  // One block says nothing of how far others may be from it.
  const error = count > 1 ? Math.sqrt((squares * count) / (count - 1)) / requests : Number.POSITIVE_INFINITY;
  return { points: 100 * mean, upperPoints: 100 * (mean + QUANTILE_95 * error), requests };
}

interface Block {
  requests: number;
  difference: number;
}

function sumByBlock({ arrivalsMs, ours, theirs }: PairedRuns): readonly Block[] {
  if (ours.length !== arrivalsMs.length || theirs.length !== arrivalsMs.length)
    throw new Error(`runs of ${ours.length} and ${theirs.length} requests are compared, of ${arrivalsMs.length} each`);
  const blocks = new Map<number, Block>();
  for (const [at, atMs] of arrivalsMs.entries()) {
    const key = Math.floor(atMs / BLOCK_MS);
    const block = blocks.get(key) ?? { requests: 0, difference: 0 };
    block.requests += 1;
    block.difference += Number(ours[at]) - Number(theirs[at]);
    blocks.set(key, block);
  }
  return [...blocks.values()];
}
