import { type Forecast, MAX_RATE_RPS, REACTIVE_SECONDS } from "../domain/load.ts";
import { POLICIES } from "../optimizer/policies.ts";
import type { Demand } from "./control-state.ts";
import { SETTINGS } from "./settings.ts";
import type { TickInput } from "./tick-input.ts";
import { forecastRps, quantileIndex, type Tuning } from "./tuning.ts";

/** Two deviations of the root of a Poisson rate over REACTIVE_SECONDS. */
const CHANCE = 2 / (2 * Math.sqrt(REACTIVE_SECONDS));

/** The entry rate that plans are for, in rps: a forecast's at a tuning's quantile, or the load as it is now where that is what counts. */
export function demandRps(forecast: Forecast, tuning: Tuning): number {
  return isFloored(forecast, tuning) ? forecast.reactiveRps : forecastRps(forecast, tuning);
}

/**
 * Whether the load as it is now is above the forecast, and so is planned for in its place. Where a tuning plans for a lower quantile than is
 * usual, it must rise, or be above by more than chance: half of all plans for a median would be for more otherwise. Worked: with a median of
 * 10 rps, ten seconds of 12 rps change nothing, as one in 35 of a steady 10 rps have as many; ten of 13 do.
 */
export function isFloored(forecast: Forecast, tuning: Tuning): boolean {
  const { reactiveRps, riseRps = 0 } = forecast;
  const plannedRps = forecastRps(forecast, tuning);
  const isLean = quantileIndex(tuning) < SETTINGS.forecastQuantile;
  if (!isLean || riseRps > 0) return reactiveRps > plannedRps;
  return Math.sqrt(reactiveRps) - Math.sqrt(plannedRps) > CHANCE;
}

/**
 * The rate that a load which has outrun its forecast goes on to if it rises as it did; null: it has not. Worked: 10 rps were forecast, 18 come
 * and 9 did ten seconds before: 27.
 */
export function findRisenRps(forecast: Forecast, tuning: Tuning): number | null {
  const { reactiveRps, riseRps = 0 } = forecast;
  const isAbove = reactiveRps > forecastRps(forecast, tuning);
  return isAbove && riseRps > 0 ? Math.min(reactiveRps + riseRps, MAX_RATE_RPS) : null;
}

/**
 * The rate that variants are planned for where replicas may serve lighter ones: the demand, or the load as it is where that has fallen below the
 * median of the forecast by more than chance.
 */
function findNowRps(forecast: Forecast, tuning: Tuning): number {
  const { intensityRps, reactiveRps } = forecast;
  const hasFallen = Math.sqrt(intensityRps[0]) - Math.sqrt(reactiveRps) > CHANCE;
  return hasFallen ? reactiveRps : demandRps(forecast, tuning);
}

/** Demand now and of the hold window what makes its maximum, which may be scaled down to, and its minimum. An HPA neither foresees nor holds. */
export function withDemand(
  demands: readonly Demand[],
  { pipeline, forecast, tuning }: TickInput,
  nowMs: number,
): readonly Demand[] {
  const isHpa = POLICIES[pipeline.objective.policy].replicas === "hpa";
  if (isHpa) return forecast ? [{ atMs: nowMs, rateRps: forecast.reactiveRps }] : demands;
  const recent = demands.filter(demand => demand.atMs <= nowMs && nowMs - demand.atMs <= pipeline.scaleDownMs);
  if (!forecast) return recent;
  const risenRps = findRisenRps(forecast, tuning);
  const demand = { atMs: nowMs, rateRps: demandRps(forecast, tuning), nowRps: findNowRps(forecast, tuning) };
  return extremeDemands([...recent, { ...demand, ...(risenRps !== null && { risenRps }) }]);
}

/** The highest rates among demands: what was planned for, what a load that rises goes on to, and the load as it was. */
export function findHighest(demands: readonly Demand[]): Required<Omit<Demand, "atMs">> {
  const highest = { rateRps: 0, risenRps: 0, nowRps: 0 };
  for (const { rateRps, risenRps = rateRps, nowRps = rateRps } of demands) {
    highest.rateRps = Math.max(highest.rateRps, rateRps);
    highest.risenRps = Math.max(highest.risenRps, risenRps);
    highest.nowRps = Math.max(highest.nowRps, nowRps);
  }
  return highest;
}

/**
 * The demands, oldest first, without those that can no longer be the highest or the lowest of a window that ends now or later: a
 * later one is as high in every way, and one is as low. Worked: of 300 seconds of a load that varies about ten are left, of a steady one the newest.
 */
export function extremeDemands(demands: readonly Demand[]): readonly Demand[] {
  const later: Demand[] = [];
  let lowestRps = Number.POSITIVE_INFINITY;
  for (const demand of demands.toReversed()) {
    const before = findHighest(later);
    const after = findHighest([...later, demand]);
    const isHighest = (["rateRps", "risenRps", "nowRps"] as const).some(rate => after[rate] > before[rate]);
    if (isHighest || demand.rateRps < lowestRps) later.push(demand);
    lowestRps = Math.min(lowestRps, demand.rateRps);
  }
  return later.reverse();
}
