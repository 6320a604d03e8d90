import type { LabelOption, LabelProblem } from "./label-problem.ts";

/** A stage as the bounds see it: its options at their best, whatever is chosen before it. */
export interface LooseStage {
  readonly options: readonly LabelOption[];
  /** Share of the requests' paths that go through it, by which its latency counts. */
  readonly pathShare: number;
}

/** What is paid for each unit of what is limited. */
export interface Prices {
  readonly latency: number;
  readonly uses: readonly number[];
  /** Per unit of accuracy above the least. */
  readonly accuracy: number;
}

/**
 * Lagrangian upper bound: limits are not kept but paid for. Grid k holds, for accuracies between `low` and `low` + `cells` steps,
 * the most that the stages from k on can add to the objective. That function is a maximum of affine functions, hence convex: the
 * chord between two entries is never below it, so the bound holds whatever the grid.
 */
export interface Bound {
  readonly prices: Prices;
  readonly grids: readonly Float64Array[];
  readonly low: readonly number[];
  readonly cellsPerUnit: readonly number[];
  /** What all limits together are worth at these prices. */
  readonly constant: number;
  /** Entry k: the least that the stages from k on take, paid limits included. */
  readonly least: readonly number[];
  readonly worth: number;
}

const CELLS = 24;

/** What the bounds of one problem have in common, whatever the prices. */
export interface BoundFrame {
  readonly problem: LabelProblem;
  readonly loose: readonly LooseStage[];
  /** Entry k: the least accuracy that a prefix of k stages has, the step of grid k, and cells per unit of accuracy. */
  readonly low: readonly number[];
  readonly step: readonly number[];
  readonly cellsPerUnit: readonly number[];
}

export function boundFrame(problem: LabelProblem, loose: readonly LooseStage[]): BoundFrame {
  const low = [problem.start];
  const high = [problem.start];
  for (const [k, { options }] of loose.entries()) {
    let from = Number.POSITIVE_INFINITY;
    let to = Number.NEGATIVE_INFINITY;
    for (const { slope, offset } of options) {
      from = Math.min(from, slope * (low[k] ?? 0) + offset);
      to = Math.max(to, slope * (high[k] ?? 0) + offset);
    }
    low.push(from);
    high.push(to);
  }
  const step = low.map((from, k) => ((high[k] ?? 0) - from) / CELLS);
  return { problem, loose, low, step, cellsPerUnit: step.map(size => (size > 0 ? 1 / size : 0)) };
}

export function boundAt(frame: BoundFrame, prices: Prices): Bound {
  const { problem, loose, low, step, cellsPerUnit } = frame;
  const worth = problem.worth + prices.accuracy;
  const least = [0];
  let next = new Float64Array(CELLS + 1);
  const last = loose.length;
  for (let i = 0; i <= CELLS; i++) next[i] = worth * ((low[last] ?? 0) + i * (step[last] ?? 0));
  const grids = [next];
  for (let k = last - 1; k >= 0; k--) {
    const grid = new Float64Array(CELLS + 1).fill(Number.NEGATIVE_INFINITY);
    const perUnit = cellsPerUnit[k + 1] ?? 0;
    const lowNext = low[k + 1] ?? 0;
    let leastPaid = Number.POSITIVE_INFINITY;
    for (const option of loose[k]?.options ?? []) {
      const paid = paidFor(option, loose[k]?.pathShare ?? 1, prices);
      if (paid < leastPaid) leastPaid = paid;
      let position = (option.slope * (low[k] ?? 0) + option.offset - lowNext) * perUnit;
      const advance = option.slope * (step[k] ?? 0) * perUnit;
      for (let i = 0; i <= CELLS; i++, position += advance) {
        const value = chord(next, position) - paid;
        if (value > (grid[i] ?? 0)) grid[i] = value;
      }
    }
    grids.push(grid);
    least.push((least.at(-1) ?? 0) + leastPaid);
    next = grid;
  }
  grids.reverse();
  let constant = Number.isFinite(problem.latencyMs) ? prices.latency * problem.latencyMs : 0;
  for (const [r, price] of prices.uses.entries()) if (price > 0) constant += price * (problem.limits[r] ?? 0);
  if (prices.accuracy > 0) constant -= prices.accuracy * problem.minAccuracy;
  return { prices, grids, low, cellsPerUnit, constant, least: least.reverse(), worth };
}

export function paidFor(option: LabelOption, pathShare: number, prices: Prices): number {
  let paid = option.price + prices.latency * pathShare * option.latencyMs;
  for (const [r, price] of prices.uses.entries()) if (price > 0) paid += price * (option.uses[r] ?? 0);
  return paid;
}

/** The most that the stages from `k` on add to the objective of a prefix whose accuracy is `accuracy`. */
export function mostFrom(bound: Bound, k: number, accuracy: number): number {
  const grid = bound.grids[k];
  if (!grid) return Number.NEGATIVE_INFINITY;
  return chord(grid, (accuracy - (bound.low[k] ?? 0)) * (bound.cellsPerUnit[k] ?? 0));
}

function chord(grid: Float64Array, position: number): number {
  const cell = position <= 0 ? 0 : position >= CELLS ? CELLS - 1 : position | 0;
  const below = grid[cell] ?? 0;
  const part = position - cell;
  // At an end of the range that is one point only, and against infinite entries.
  return part <= 0 ? below : below + part * ((grid[cell + 1] ?? 0) - below);
}
