import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { RATE_QUANTILES } from "../../domain/load.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { type ForecastName, forecastSource } from "../../simulator/forecast-source.ts";
import { poissonLoad } from "./scenario.ts";

const TRACE = poissonLoad(600, second => (second % 120 >= 90 ? 60 : 8));
const HORIZON_MS = 35_000;

describe("forecastSource()", () => {
  const whole = new LoadForecaster();
  const sourceOf = (name: ForecastName) =>
    forecastSource(name, { trace: TRACE, history: [], model: null, learnt: null, margin: 0.5 });
  const sources = { reactive: sourceOf("reactive"), recentPeak: sourceOf("recentPeak"), oracle: sourceOf("oracle") };

  it("takes the load as it is from the scaler's forecaster, and leaves out all that is forecast", () => {
    for (const [second, rateRps] of TRACE.ratesRps.entries()) {
      const nowMs = TRACE.startMs + (second + 1) * 1000;
      const sample = { atMs: nowMs, rateRps };
      whole.observe(sample);
      const known = whole.forecast(nowMs, HORIZON_MS);
      const recent = Math.max(...TRACE.ratesRps.slice(Math.max(0, second - 19), second + 1));
      for (const [name, source] of Object.entries(sources)) {
        source.observe(sample);
        const found = source.forecast(nowMs, HORIZON_MS);
        assert.ok(known && found);
        const rateRpsOf = { reactive: known.reactiveRps, recentPeak: 0.5 * recent, oracle: found.peakRps[0] };
        const wanted = rateRpsOf[name as keyof typeof rateRpsOf];
        const rates = [wanted, wanted, wanted, wanted];
        assert.deepEqual(found, {
          atMs: nowMs,
          horizonMs: HORIZON_MS,
          peakRps: rates,
          intensityRps: rates,
          rateRps: RATE_QUANTILES.map(() => wanted),
          reactiveRps: name === "reactive" ? known.reactiveRps : Math.min(known.reactiveRps, wanted),
          leader: name,
          riseRps: 0,
        });
      }
    }
  });

  it("knows nothing where there is no sample", () => {
    const later = TRACE.startMs + 3_600_000;
    for (const source of [...Object.values(sources), sourceOf("reactive")])
      assert.equal(source.forecast(later, HORIZON_MS), null);
  });
});
