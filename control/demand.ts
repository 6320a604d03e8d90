import { type Forecast, MAX_RATE_RPS, QUANTILES, RATE_QUANTILES, REACTIVE_SECONDS } from "../domain/load.ts";
import { POLICIES } from "../optimizer/policies.ts";
import type { ControlState, Demand } from "./control-state.ts";
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

/** The demand, or the load as it is where that is lower, with as much more as chance may have kept away. */
function findNowRps(forecast: Forecast, tuning: Tuning): number {
  return Math.min(demandRps(forecast, tuning), (Math.sqrt(forecast.reactiveRps) + CHANCE) ** 2);
}

/**
 * Demand now and of the hold window what makes its maximum, which may be scaled down to, and its minimum. It is the load times the factor by which
 * plans are for more than it. An HPA neither foresees nor holds.
 */
export function withDemand(
  { demands, attainmentFactor }: Pick<ControlState, "demands" | "attainmentFactor">,
  { pipeline, forecast, tuning }: TickInput,
  nowMs: number,
): readonly Demand[] {
  const isHpa = POLICIES[pipeline.objective.policy].replicas === "hpa";
  if (isHpa) return forecast ? [{ atMs: nowMs, rateRps: forecast.reactiveRps }] : demands;
  const recent = demands.filter(demand => demand.atMs <= nowMs && nowMs - demand.atMs <= pipeline.scaleDownMs);
  if (!forecast) return recent;
  const scale = (rps: number): number => Math.min(MAX_RATE_RPS, attainmentFactor * rps);
  const risenRps = findRisenRps(forecast, tuning);
  const rates = {
    rateRps: scale(demandRps(forecast, tuning)),
    nowRps: scale(findNowRps(forecast, tuning)),
    ratesRps: forecast.rateRps.map(scale),
    peaksRps: forecast.intensityRps.map(scale),
  };
  return extremeDemands([
    ...recent,
    { atMs: nowMs, ...rates, ...(risenRps !== null && { risenRps: scale(risenRps) }) },
  ]);
}

/**
 * Finds the highest of each rate among demands, quantile by quantile. Quantiles of the rate below the median are those of the newest demand: replicas
 * stay for what may come again, and serve the load as it is by heavier variants at once.
 */
export function findHighest(demands: readonly Demand[]): Rates {
  const highest = demands.map(readRates).reduce(raise, NO_RATES);
  const newest = demands.at(-1);
  if (!newest) return highest;
  const { ratesRps } = readRates(newest);
  return { ...highest, ratesRps: highest.ratesRps.map((rate, at) => (at < MEDIAN ? (ratesRps[at] ?? rate) : rate)) };
}

const MEDIAN = RATE_QUANTILES.indexOf(0.5);

export type Rates = Required<Omit<Demand, "atMs">>;

const NO_RATES: Rates = {
  rateRps: 0,
  risenRps: 0,
  nowRps: 0,
  ratesRps: RATE_QUANTILES.map(() => 0),
  peaksRps: QUANTILES.map(() => 0),
};

function readRates(demand: Demand): Rates {
  const { rateRps, risenRps = rateRps, nowRps = rateRps } = demand;
  const { ratesRps = RATE_QUANTILES.map(() => rateRps), peaksRps = QUANTILES.map(() => rateRps) } = demand;
  return { rateRps, risenRps, nowRps, ratesRps, peaksRps };
}

function raise(some: Rates, others: Rates): Rates {
  return {
    rateRps: Math.max(some.rateRps, others.rateRps),
    risenRps: Math.max(some.risenRps, others.risenRps),
    nowRps: Math.max(some.nowRps, others.nowRps),
    ratesRps: raiseAll(some.ratesRps, others.ratesRps),
    peaksRps: raiseAll(some.peaksRps, others.peaksRps),
  };
}

function raiseAll(some: readonly number[], others: readonly number[]): readonly number[] {
  return some.map((rate, at) => Math.max(rate, others[at] ?? 0));
}

/** Whether any of the rates is above all others. */
function isAbove(rates: Rates, others: Rates): boolean {
  return (
    rates.rateRps > others.rateRps ||
    rates.risenRps > others.risenRps ||
    rates.nowRps > others.nowRps ||
    rates.ratesRps.some((rate, at) => rate > (others.ratesRps[at] ?? 0)) ||
    rates.peaksRps.some((rate, at) => rate > (others.peaksRps[at] ?? 0))
  );
}

/**
 * The demands, oldest first, without those that can no longer be the highest or the lowest of a window that ends now or later: a
 * later one is as high in every way, and one is as low. Of a steady load the newest is left.
 */
export function extremeDemands(demands: readonly Demand[]): readonly Demand[] {
  let highest: Rates | null = null;
  let lowestRps = Number.POSITIVE_INFINITY;
  const kept = demands.toReversed().filter(demand => {
    const rates = readRates(demand);
    const isHighest = highest === null || isAbove(rates, highest);
    const isLowest = rates.rateRps < lowestRps;
    highest = highest === null ? rates : raise(highest, rates);
    lowestRps = Math.min(lowestRps, rates.rateRps);
    return isHighest || isLowest;
  });
  return kept.reverse();
}
