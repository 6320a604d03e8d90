import { type Forecast, type LoadSample, RATE_QUANTILES } from "../domain/load.ts";
import type { LoadTrace } from "../load/load-trace.ts";
import type { Expert } from "../predictor/expert.ts";
import type { ForecasterSnapshot } from "../predictor/forecaster-snapshot.ts";
import { LoadForecaster } from "../predictor/load-forecaster.ts";
import type { LoadCell } from "../predictor/load-history.ts";
import { InstantNetwork } from "../predictor/network/network.ts";
import type { OpenModel } from "../predictor/network/open-model.ts";

/**
 * Where plans get their forecast from. `variscale`: the scaler's own forecaster. `reactive`: the load as it is goes on. `recentPeak`: the
 * highest second of the last 20 s comes again. `oracle`: the load that comes, from the trace itself.
 */
export const FORECASTS = ["variscale", "reactive", "recentPeak", "oracle"] as const;
export type ForecastName = (typeof FORECASTS)[number];

const RECENT_MS = 20_000;

export interface ForecastSource {
  observe(sample: LoadSample): void;
  /** Null: there is no usable data. */
  forecast(nowMs: number, horizonMs: number): Forecast | null;
}

/** An oracle's rate is the highest mean of so many seconds: a single second is chance, which the latency model adds by itself. */
const ORACLE_SECONDS = 10;

export interface ForecastOptions {
  readonly trace: LoadTrace;
  /** Ten-second cells of the load before the trace. */
  readonly history: readonly LoadCell[];
  readonly model: OpenModel | null;
  readonly learnt: ForecasterSnapshot | null;
  /** What a `recentPeak` is multiplied by. */
  readonly margin: number;
  /** Of the scaler's own forecaster. Default true. */
  readonly calibrated?: boolean;
}

/** Of the forecaster the others take only the load as it is: nobody need predict for them, which takes a third of a simulation's time. */
const NOBODY: Expert = { name: "nobody", predict: () => [0, 0, 0, 0] };

export function forecastSource(name: ForecastName, options: ForecastOptions): ForecastSource {
  const { learnt, model, history, calibrated = true } = options;
  const how =
    name === "variscale" ? { network: model && new InstantNetwork(model), calibrated } : { experts: [NOBODY] };
  const forecaster = LoadForecaster.restore(learnt, how, history);
  const observe = (sample: LoadSample): void => forecaster.observe(sample);
  switch (name) {
    case "variscale":
      return { observe, forecast: (nowMs, horizonMs) => forecaster.forecast(nowMs, horizonMs) };
    case "reactive":
      return {
        observe,
        forecast: (nowMs, horizonMs) => {
          const known = forecaster.forecast(nowMs, horizonMs);
          return known && flat(known, known.reactiveRps, "reactive");
        },
      };
    case "recentPeak": {
      let recent: readonly LoadSample[] = [];
      return {
        observe: sample => {
          observe(sample);
          recent = [...recent.filter(({ atMs }) => sample.atMs - atMs < RECENT_MS), sample];
        },
        forecast: (nowMs, horizonMs) => {
          const known = forecaster.forecast(nowMs, horizonMs);
          const peakRps = Math.max(0, ...recent.map(({ rateRps }) => rateRps)) * options.margin;
          return known && { ...flat(known, peakRps, "recentPeak"), reactiveRps: Math.min(known.reactiveRps, peakRps) };
        },
      };
    }
    case "oracle":
      return {
        observe,
        forecast: (nowMs, horizonMs) => {
          const known = forecaster.forecast(nowMs, horizonMs);
          const rateRps = highestMean(options.trace, nowMs, horizonMs);
          return known && { ...flat(known, rateRps, "oracle"), reactiveRps: Math.min(known.reactiveRps, rateRps) };
        },
      };
    default:
      return name satisfies never;
  }
}

function flat(forecast: Forecast, rateRps: number, leader: string): Forecast {
  const rates = [rateRps, rateRps, rateRps, rateRps] as const;
  return {
    ...forecast,
    peakRps: rates,
    intensityRps: rates,
    rateRps: RATE_QUANTILES.map(() => rateRps),
    leader,
    riseRps: 0,
  };
}

/** Highest mean rate of ten seconds that touch the horizon. */
function highestMean({ startMs, ratesRps }: LoadTrace, nowMs: number, horizonMs: number): number {
  const from = Math.max(0, Math.floor((nowMs - startMs) / 1000));
  const to = Math.min(ratesRps.length, Math.ceil((nowMs + horizonMs - startMs) / 1000));
  let highest = 0;
  for (let first = from; first < to; first++) {
    const part = ratesRps.subarray(
      Math.max(0, Math.min(first, ratesRps.length - ORACLE_SECONDS)),
      first + ORACLE_SECONDS,
    );
    const known = part.filter(rate => !Number.isNaN(rate));
    if (known.length > 0) highest = Math.max(highest, known.reduce((sum, rate) => sum + rate, 0) / known.length);
  }
  return highest;
}
