import type { LoadTrace } from "../load/load-trace.ts";
import type { LoadForecaster } from "./load-forecaster.ts";
import { Outcomes } from "./outcomes.ts";

/** How many seconds are replayed between two reports of progress. */
const REPORT_EVERY_SECONDS = 3600;

/** One that takes part in a backtest, under a name. */
export interface Contestant {
  readonly name: string;
  readonly forecaster: LoadForecaster;
  /** Horizons that it is asked for; its forecasts of others would be those of the next larger one. */
  readonly horizonsSeconds: readonly number[];
  /** What happens to it at the begin of a second, as a model that has been trained. */
  readonly changes?: readonly { readonly second: number; readonly apply: () => void }[];
}

export interface BacktestOptions {
  readonly trace: LoadTrace;
  readonly contestants: readonly Contestant[];
  /** The first second of the test: forecasts made from its end on count. Before it everything is replayed and learnt from. */
  readonly testFromSecond: number;
  /** The test's last second is the one before. */
  readonly testToSecond: number;
  /** Between two forecasts. */
  readonly strideSeconds: number;
}

export interface BacktestOutcome {
  readonly name: string;
  readonly horizonSeconds: number;
  readonly outcomes: Outcomes;
}

export interface Backtest {
  readonly results: readonly BacktestOutcome[];
  /** Origins of the test without a forecast of one of the contestants: the load was silent for too long. */
  readonly silentOrigins: number;
  /** Origins left out since a second of what was to come is missing; counted for each horizon. */
  readonly unknownOrigins: number;
}

/**
 * Rolling origin: replays the trace, second by second and once, through the forecasters as the scaler feeds them, and asks for a forecast every
 * `strideSeconds` of the test. A forecaster never sees a second later than its forecast; what it learns online (weights, calibration) it learns
 * with the delay of the horizon, as in production. An origin counts for all contestants or for none. The generator yields the share
 * that is done, so that a shell can show it and stop; it returns the result.
 */
export function* backtest(options: BacktestOptions): Generator<number, Backtest, void> {
  const { trace, contestants, testFromSecond, testToSecond, strideSeconds } = options;
  const results = contestants.flatMap(({ name, horizonsSeconds }) =>
    horizonsSeconds.map(horizonSeconds => ({ name, horizonSeconds, outcomes: new Outcomes() })),
  );
  const horizons = [...new Set(results.map(({ horizonSeconds }) => horizonSeconds))];
  let [silentOrigins, unknownOrigins] = [0, 0];
  const last = Math.min(testToSecond, trace.ratesRps.length);
  for (let second = 0; second < last; second++) {
    const rateRps = trace.ratesRps[second] ?? Number.NaN;
    const atMs = trace.startMs + (second + 1) * 1000;
    for (const { changes } of contestants)
      for (const change of changes ?? []) if (change.second === second) change.apply();
    if (!Number.isNaN(rateRps)) for (const { forecaster } of contestants) forecaster.observe({ atMs, rateRps });
    const isOrigin = second + 1 >= testFromSecond && (second + 1 - testFromSecond) % strideSeconds === 0;
    if (isOrigin) {
      for (const horizonSeconds of horizons) {
        if (second + 1 + horizonSeconds > last) continue;
        const actualRps = highestOf(trace.ratesRps, second + 1, horizonSeconds);
        if (Number.isNaN(actualRps)) unknownOrigins += 1;
        else if (!askAll(options, results, horizonSeconds, atMs, actualRps)) silentOrigins += 1;
      }
    }
    if ((second + 1) % REPORT_EVERY_SECONDS === 0) yield (second + 1) / last;
  }
  return { results, silentOrigins, unknownOrigins };
}

/** False: one of them has no forecast, and none is scored. */
function askAll(
  options: BacktestOptions,
  results: readonly BacktestOutcome[],
  horizonSeconds: number,
  atMs: number,
  actualRps: number,
): boolean {
  const asked = options.contestants.filter(({ horizonsSeconds }) => horizonsSeconds.includes(horizonSeconds));
  const forecasts = asked.map(({ name, forecaster }) => ({
    name,
    forecast: forecaster.forecast(atMs, horizonSeconds * 1000),
  }));
  if (forecasts.some(({ forecast }) => forecast === null)) return false;
  for (const { name, forecast } of forecasts) {
    const result = results.find(other => other.name === name && other.horizonSeconds === horizonSeconds);
    if (forecast !== null) result?.outcomes.add(atMs, actualRps, forecast.peakRps);
  }
  return true;
}

/** NaN when one of the seconds is missing. */
function highestOf(ratesRps: Float64Array, from: number, seconds: number): number {
  let highest = 0;
  for (let second = from; second < from + seconds; second++) {
    const rate = ratesRps[second] ?? Number.NaN;
    if (Number.isNaN(rate)) return Number.NaN;
    if (rate > highest) highest = rate;
  }
  return highest;
}
