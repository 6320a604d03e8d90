import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { generateLoad } from "../../load/generate-load.ts";
import { hideZeroRuns } from "../../load/hide-zero-runs.ts";
import { LOAD_KINDS } from "../../load/load-kinds.ts";
import { type LoadTrace, samplesOf } from "../../load/load-trace.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";

const HORIZONS_MS = [20_000, 60_000, 600_000];

function observed(trace: LoadTrace): LoadForecaster {
  const forecaster = new LoadForecaster();
  for (const sample of samplesOf(trace)) forecaster.observe(sample);
  return forecaster;
}

/** A steady load whose source gave zeros for twenty minutes although there was load. */
function silent(seconds: number): LoadTrace {
  const trace = generateLoad(LOAD_KINDS.steady, seconds, 2);
  trace.ratesRps.fill(0, seconds - 2400, seconds - 1200);
  return trace;
}

describe("a source that falls silent", () => {
  it("has no forecast after a while, and one as before once it is back", () => {
    const trace = generateLoad(LOAD_KINDS.steady, 7200, 2);
    const forecaster = observed({ startMs: trace.startMs, ratesRps: trace.ratesRps.slice(0, 3600) });
    const before = forecaster.forecast(trace.startMs + 3_600_000, 20_000)!.peakRps[2];
    assert.equal(forecaster.forecast(trace.startMs + 3_616_000, 20_000), null);
    for (let second = 5400; second < 5430; second++)
      forecaster.observe({ atMs: trace.startMs + (second + 1) * 1000, rateRps: trace.ratesRps[second]! });
    const after = forecaster.forecast(trace.startMs + 5_430_000, 20_000)!.peakRps[2];
    assert.ok(Math.abs(after - before) < 6, `${before} ${after}`);
  });

  it("is not learnt from as a load of zero when it is known to be silent", () => {
    const trace = silent(4 * 3600);
    const { trace: hidden, hidden: seconds } = hideZeroRuns(trace, 5);
    assert.equal(seconds, 1200);
    const nowMs = trace.startMs + trace.ratesRps.length * 1000;
    const truth = observed(generateLoad(LOAD_KINDS.steady, 4 * 3600, 2));
    const [told, untold] = [observed(hidden), observed(trace)];
    for (const horizonMs of HORIZONS_MS) {
      const errorOf = (forecaster: LoadForecaster): number =>
        Math.abs(forecaster.forecast(nowMs, horizonMs)!.peakRps[2] - truth.forecast(nowMs, horizonMs)!.peakRps[2]);
      assert.ok(errorOf(told) < 3, `${horizonMs}: ${errorOf(told)}`);
    }
    const halfHourly = (forecaster: LoadForecaster) => forecaster.forecast(nowMs, 600_000)!.peakRps;
    assert.notDeepEqual(halfHourly(untold), halfHourly(told));
  });
});

describe("hideZeroRuns()", () => {
  it("hides runs of so many zeros, at both ends too, and no shorter ones", () => {
    const ratesRps = Float64Array.of(0, 0, 5, 0, 6, 0, 0, 0, 7, Number.NaN, 0, 0);
    const { trace, hidden } = hideZeroRuns({ startMs: 0, ratesRps }, 2);
    const missing = Number.NaN;
    assert.deepEqual(
      [...trace.ratesRps],
      [missing, missing, 5, 0, 6, missing, missing, missing, 7, missing, missing, missing],
    );
    assert.equal(hidden, 7);
    assert.equal(ratesRps[0], 0);
  });
});
