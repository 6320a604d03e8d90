import { normalQuantile } from "./normal-distribution.ts";

/** How many rows of one request come to the same replicas, of the requests of which any come. */
export interface GroupSize {
  readonly rows: number;
  readonly share: number;
}

/** A group size that is met by every fourth request or more is that of the p99. */
const RARE_SHARE = 0.25;
/** Of more rows than these the normal distribution says how many come. */
const MANY_ROWS = 32;
const NORMAL_POINTS = 16;
/** Shares below this count as this. */
const LEAST_SHARE = 1e-9;
/** Sizes that are rarer than this are left out. */
const NEVER = 1e-4;

/** Rows of a group that is larger than nearly all, its size being the whole number below or above the mean. */
export function largeGroup(meanRows: number): number {
  const below = Math.floor(meanRows + 1e-9);
  return below + Math.min(1, Math.max(0, meanRows - below) / RARE_SHARE);
}

/** E[K²]/E[K] of requests whose rows are the whole number below or above their mean, each of which comes with chance `share`. */
export function groupSpread(meanRows: number, share: number): number {
  const below = Math.floor(meanRows);
  const part = meanRows - below;
  return 1 - share + (share * ((1 - part) * below ** 2 + part * (below + 1) ** 2)) / meanRows;
}

/** Mean rows that come of a request of which any come. */
export function meanVisit(meanRows: number, share: number): number {
  const own = Math.max(LEAST_SHARE, share);
  return Math.max(1, (meanRows * own) / visitedShare(meanRows, own));
}

/** Chance that any row of a request comes. */
export function visitedShare(meanRows: number, share: number): number {
  const below = Math.floor(meanRows);
  const any = (rows: number) => -Math.expm1(rows * Math.log1p(-Math.min(1, Math.max(LEAST_SHARE, share))));
  return any(below) + (meanRows - below) * (any(below + 1) - any(below));
}

/** Of requests with `meanRows` rows, each of which comes with chance `share`, which is below 1: binomial. */
export function groupSizes(meanRows: number, share: number): readonly GroupSize[] {
  if (meanRows > MANY_ROWS) return manyRows(meanRows * share, Math.sqrt(meanRows * share * (1 - share)));
  const below = Math.floor(meanRows);
  const part = meanRows - below;
  const chances = Array.from({ length: below + 2 }, () => 0);
  addBinomial(chances, below, share, 1 - part);
  addBinomial(chances, below + 1, share, part);
  const sizes = chances
    .map((chance, rows) => ({ rows, share: chance }))
    .filter(size => size.rows > 0 && size.share > NEVER);
  const all = sizes.reduce((sum, size) => sum + size.share, 0);
  return sizes.length === 0
    ? [{ rows: 1, share: 1 }]
    : sizes.map(size => ({ rows: size.rows, share: size.share / all }));
}

function addBinomial(chances: number[], rows: number, share: number, weight: number): void {
  let chance = weight * (1 - share) ** rows;
  for (let k = 0; k <= rows; k++) {
    chances[k] = (chances[k] ?? 0) + chance;
    chance *= ((rows - k) * share) / ((k + 1) * (1 - share));
  }
}

function manyRows(mean: number, deviation: number): readonly GroupSize[] {
  return normalPoints().map(point => ({
    rows: Math.max(1, Math.round(mean + deviation * point)),
    share: 1 / NORMAL_POINTS,
  }));
}

let points: readonly number[] | undefined;

function normalPoints(): readonly number[] {
  points ??= Array.from({ length: NORMAL_POINTS }, (_, i) => normalQuantile((i + 0.5) / NORMAL_POINTS));
  return points;
}
