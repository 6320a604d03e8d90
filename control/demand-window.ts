import type { Demand } from "./control-state.ts";

/** The highest rate that one of the demands wants replicas for. */
export function mostRisenRps(demands: readonly Demand[]): number {
  return Math.max(0, ...demands.map(risenOf));
}

function risenOf({ rateRps, risenRps = rateRps }: Demand): number {
  return risenRps;
}

/**
 * The demands, oldest first, without those that can no longer be the highest or the lowest of a window that ends now or later: a
 * later one is as high, and one is as low. Worked: of 300 seconds of a load that varies about ten are left, of a steady one the newest.
 */
export function extremeDemands(demands: readonly Demand[]): readonly Demand[] {
  let highestRps = Number.NEGATIVE_INFINITY;
  let lowestRps = Number.POSITIVE_INFINITY;
  let highestRisenRps = Number.NEGATIVE_INFINITY;
  const kept = demands.toReversed().filter(demand => {
    const { rateRps } = demand;
    const risenRps = risenOf(demand);
    const isExtreme = rateRps > highestRps || rateRps < lowestRps || risenRps > highestRisenRps;
    highestRps = Math.max(highestRps, rateRps);
    lowestRps = Math.min(lowestRps, rateRps);
    highestRisenRps = Math.max(highestRisenRps, risenRps);
    return isExtreme;
  });
  return kept.reverse();
}
