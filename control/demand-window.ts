import type { Demand } from "./control-state.ts";

/**
 * The demands, oldest first, without those that can no longer be the highest or the lowest of a window that ends now or later: a
 * later one is as high, and one is as low. Worked: of 300 seconds of a load that varies about ten are left, of a steady one the newest.
 */
export function extremeDemands(demands: readonly Demand[]): readonly Demand[] {
  let highestRps = Number.NEGATIVE_INFINITY;
  let lowestRps = Number.POSITIVE_INFINITY;
  const kept = demands.toReversed().filter(({ rateRps }) => {
    const isExtreme = rateRps > highestRps || rateRps < lowestRps;
    highestRps = Math.max(highestRps, rateRps);
    lowestRps = Math.min(lowestRps, rateRps);
    return isExtreme;
  });
  return kept.reverse();
}
