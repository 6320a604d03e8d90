import { type Forecast, QUANTILES, REACTIVE_SECONDS } from "../domain/load.ts";
import { SETTINGS } from "./settings.ts";
import { forecastRps, type Tuning } from "./tuning.ts";

/** Two deviations of the root of a Poisson rate over REACTIVE_SECONDS. */
const CHANCE = 2 / (2 * Math.sqrt(REACTIVE_SECONDS));

/** The entry rate that plans are for, in rps: a forecast's at a tuning's quantile, or the load as it is now where that counts for more. */
export function demandRps(forecast: Forecast, tuning: Tuning): number {
  return isFloored(forecast, tuning) ? forecast.reactiveRps : forecastRps(forecast, tuning);
}

/**
 * Whether the load as it is now is planned for, and not its forecast. Where a tuning plans for less than is usual of a forecast, what ten seconds
 * of a steady load have more by chance does not count: with it, half the plans for a median would be for more. Worked: with a median of 10 rps,
 * ten seconds of 12 rps change nothing, as one in forty of a steady 10 rps has so many; ten of 13 rps are planned for.
 */
export function isFloored(forecast: Forecast, tuning: Tuning): boolean {
  const plannedRps = forecastRps(forecast, tuning);
  if (!isLean(tuning)) return forecast.reactiveRps > plannedRps;
  return Math.sqrt(forecast.reactiveRps) - Math.sqrt(plannedRps) > CHANCE;
}

function isLean({ forecastQuantile }: Tuning): boolean {
  return forecastQuantile !== null && forecastQuantile < QUANTILES[SETTINGS.forecastQuantile];
}
