import { type Forecast, REACTIVE_SECONDS } from "../domain/load.ts";
import { SETTINGS } from "./settings.ts";
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
