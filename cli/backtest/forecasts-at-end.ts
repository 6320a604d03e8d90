import { VariscaleError } from "../../domain/errors.ts";
import { type Forecast, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { percent } from "../../explanation/number-text.ts";
import { type LoadTrace, timeText } from "../../load/load-trace.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { InstantNetwork } from "../../predictor/network/network.ts";
import { openModel } from "../../predictor/network/open-model.ts";
import { readBundledModel } from "../../scaler/forecasting/bundled-model.ts";
import { formatTable } from "../format-table.ts";
import type { LoadInput } from "../load-input.ts";
import { runBacktest } from "./run-backtest.ts";

/** A forecast at the end of a load, and the share that each expert has in it. */
export interface ForecastAtEnd {
  readonly horizonSeconds: number;
  readonly forecast: Forecast;
  readonly weights: Readonly<Record<string, number>>;
}

/** @throws VariscaleError failed_precondition where the load ends with a gap that is too long. */
export async function forecastsAtEnd(
  trace: LoadTrace,
  horizonsSeconds: readonly number[],
  onProgress: (share: number) => void,
): Promise<readonly ForecastAtEnd[]> {
  const forecaster = new LoadForecaster({ network: new InstantNetwork(await openModel(readBundledModel())) });
  const seconds = trace.ratesRps.length;
  const contestants = [{ name: "variscale", forecaster, horizonsSeconds: [] }];
  runBacktest({ trace, contestants, testFromSecond: seconds + 1, testToSecond: seconds, strideSeconds: 1 }, onProgress);
  const nowMs = trace.startMs + seconds * 1000;
  return horizonsSeconds.map(horizonSeconds => {
    const forecast = forecaster.forecast(nowMs, horizonSeconds * 1000);
    if (forecast === null)
      throw new VariscaleError(
        "failed_precondition",
        "there is no forecast: the load's last seconds are missing; give one that ends with known seconds",
      );
    return { horizonSeconds, forecast, weights: forecaster.weights(horizonSeconds * 1000) };
  });
}

export function forecastJson({ name, trace }: LoadInput, forecasts: readonly ForecastAtEnd[]): string {
  const byQuantile = (values: readonly number[], levels: readonly number[] = QUANTILES): Record<string, number> =>
    Object.fromEntries(levels.map((q, i) => [String(q), values[i] ?? 0]));
  return JSON.stringify(
    {
      trace: name,
      at: timeText(trace, forecasts[0]?.forecast.atMs ?? 0),
      forecasts: forecasts.map(({ horizonSeconds, forecast, weights }) => ({
        horizonSeconds,
        peakRps: byQuantile(forecast.peakRps),
        intensityRps: byQuantile(forecast.intensityRps),
        rateRps: byQuantile(forecast.rateRps, RATE_QUANTILES),
        reactiveRps: forecast.reactiveRps,
        leader: forecast.leader,
        weights,
      })),
    },
    null,
    2,
  );
}

export function forecastTable({ name, trace }: LoadInput, forecasts: readonly ForecastAtEnd[]): string {
  const rates = (values: readonly number[]): string[] => values.map(value => value.toFixed(1));
  const peaks = formatTable(
    ["within", "median", "0.9", "0.95", "0.99", "plan for", "now"],
    forecasts.map(({ horizonSeconds, forecast }) => [
      `${horizonSeconds} s`,
      ...rates(forecast.peakRps),
      ...rates([forecast.intensityRps[2], forecast.reactiveRps]),
    ]),
    [],
  );
  const experts = Object.keys(forecasts[0]?.weights ?? {});
  const weights = formatTable(
    ["weight", ...experts],
    forecasts.map(({ horizonSeconds, weights: shares }) => [
      `${horizonSeconds} s`,
      ...experts.map(expert => percent(shares[expert] ?? 0)),
    ]),
    [],
  );
  const at = timeText(trace, forecasts[0]?.forecast.atMs ?? 0);
  return `${name} at ${at}: highest second in requests a second, by quantile\n\n${peaks}\n\n${weights}`;
}
