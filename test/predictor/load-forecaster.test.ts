import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { EXPERTS } from "../../predictor/experts.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { LOADS } from "./seeded-loads.ts";

const START_MS = Date.UTC(2026, 0, 5);
const HORIZON_MS = 20_000;

/** Feeds one rate a second from `fromMs`; returns the time of the last. */
function feed(forecaster: LoadForecaster, rates: readonly number[], fromMs = START_MS): number {
  for (const [k, rateRps] of rates.entries()) forecaster.observe({ atMs: fromMs + k * 1000, rateRps });
  return fromMs + (rates.length - 1) * 1000;
}

function steady(rateRps: number, seconds: number): number[] {
  return new Array<number>(seconds).fill(rateRps);
}

describe("LoadForecaster.observe()", () => {
  it("leaves out what is no rate and counts it", () => {
    const forecaster = new LoadForecaster();
    const nowMs = feed(forecaster, steady(50, 60));
    const before = forecaster.forecast(nowMs, HORIZON_MS);
    for (const [k, rateRps] of [Number.NaN, -1, Number.POSITIVE_INFINITY, 1.1e7].entries())
      forecaster.observe({ atMs: nowMs + 1000 * (k + 1), rateRps });
    for (const atMs of [Number.NaN, Number.POSITIVE_INFINITY, 1e300]) forecaster.observe({ atMs, rateRps: 1000 });
    assert.equal(forecaster.rejectedSamples, 7);
    assert.deepEqual(forecaster.forecast(nowMs, HORIZON_MS), before);
  });

  it("leaves out duplicates, samples out of order and samples too soon after the last", () => {
    const forecaster = new LoadForecaster();
    const nowMs = feed(forecaster, steady(50, 60));
    const before = forecaster.forecast(nowMs, HORIZON_MS);
    for (const atMs of [nowMs, nowMs - 1, nowMs - 30_000, nowMs + 100]) forecaster.observe({ atMs, rateRps: 1000 });
    assert.equal(forecaster.rejectedSamples, 4);
    assert.deepEqual(forecaster.forecast(nowMs, HORIZON_MS), before);
  });

  it("takes every sample of a timer that jitters about the full second", () => {
    const forecaster = new LoadForecaster();
    const jitterMs = [0, 480, 520, 490, 510, 100, 20, -470, 20];
    for (let k = 0; k < 90; k++)
      forecaster.observe({ atMs: START_MS + k * 1000 + jitterMs[k % jitterMs.length]!, rateRps: 10 });
    assert.equal(forecaster.rejectedSamples, 0);
    assert.ok(!forecaster.snapshot().ratesRps.includes(null));
  });

  it("follows a source whose second is a little long or short", () => {
    for (const [periodMs, seconds] of [
      [1100, 1100],
      [900, 900],
    ] as const) {
      const forecaster = new LoadForecaster();
      for (let k = 0; k < 1000; k++) forecaster.observe({ atMs: START_MS + k * periodMs, rateRps: 10 });
      const passed = forecaster.snapshot().second - START_MS / 1000;
      assert.ok(Math.abs(passed - seconds) <= 2, String(passed));
    }
  });

  it("takes a gap for missing seconds, not for zeros", () => {
    const forecaster = new LoadForecaster();
    const lastMs = feed(forecaster, steady(50, 300));
    const beforeRps = forecaster.forecast(lastMs, HORIZON_MS)!.peakRps;
    forecaster.observe({ atMs: lastMs + 10_000, rateRps: 50 });
    const after = forecaster.forecast(lastMs + 10_000, HORIZON_MS)!;
    assert.deepEqual(forecaster.snapshot().ratesRps.slice(-11), [50, ...new Array<null>(9).fill(null), 50]);
    assert.ok(after.peakRps[2] >= 50 && Math.abs(after.peakRps[2] - beforeRps[2]) < 3, JSON.stringify(after));
    assert.equal(after.reactiveRps, 50);
  });

  it("learns nothing from windows that are mostly missing", () => {
    const forecaster = new LoadForecaster();
    for (let k = 0; k < 400; k++) forecaster.observe({ atMs: START_MS + k * 10_000, rateRps: 10 + (k % 7) });
    for (const horizon of forecaster.snapshot().peak.horizons) assert.equal(horizon.calibration.outcomes, 0);
  });

  it("goes on after a gap that is longer than its history", () => {
    const forecaster = new LoadForecaster();
    const lastMs = feed(forecaster, steady(500, 300));
    const nowMs = feed(forecaster, steady(5, 60), lastMs + 30 * 86_400_000);
    assert.ok(forecaster.forecast(nowMs, HORIZON_MS)!.peakRps[3] < 30);
    assert.equal(forecaster.snapshot().ratesRps.length, 60);
  });

  it("follows a clock that was set back after five samples, and keeps what it knows", () => {
    const forecaster = new LoadForecaster();
    const lastMs = feed(forecaster, steady(50, 300));
    const backMs = lastMs - 3_600_000;
    feed(forecaster, steady(50, 4), backMs);
    assert.equal(forecaster.forecast(backMs + 3000, HORIZON_MS), null);
    forecaster.observe({ atMs: backMs + 4000, rateRps: 50 });
    assert.equal(forecaster.rejectedSamples, 4);
    assert.ok(forecaster.forecast(backMs + 4000, HORIZON_MS)!.peakRps[2] >= 50);
    assert.equal(forecaster.snapshot().ratesRps.length, 301);
  });

  it("recovers from one sample from the far future", () => {
    const forecaster = new LoadForecaster();
    const lastMs = feed(forecaster, steady(50, 300));
    forecaster.observe({ atMs: Date.UTC(3000, 0, 1), rateRps: 50 });
    const nowMs = feed(forecaster, steady(50, 10), lastMs + 1000);
    assert.ok(forecaster.forecast(nowMs, HORIZON_MS)!.peakRps[2] >= 50);
  });

  it("keeps ten minutes of seconds, and all ten-second cells apart", () => {
    const forecaster = new LoadForecaster();
    feed(forecaster, steady(1, 7300));
    assert.equal(forecaster.snapshot().ratesRps.length, 600);
    assert.equal(forecaster.cellsAfter(0).length, 729);
  });

  it("gives rising, finite quantiles whatever it is fed", () => {
    const sample = fc.record({
      stepMs: fc.oneof(fc.constant(1000), fc.integer({ min: -20_000, max: 20_000 }), fc.double()),
      rateRps: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.double(), fc.constant(1e7)),
    });
    fc.assert(
      fc.property(
        fc.array(sample, { maxLength: 200, size: "max" }),
        fc.integer({ min: 1, max: 2_000_000 }),
        (samples, horizonMs) => {
          const forecaster = new LoadForecaster();
          let atMs = START_MS;
          for (const { stepMs, rateRps } of samples) {
            forecaster.observe({ atMs: atMs + stepMs, rateRps });
            if (Number.isSafeInteger(stepMs)) atMs += stepMs;
            const forecast = forecaster.forecast(atMs, horizonMs);
            if (forecast === null) continue;
            const { peakRps, reactiveRps } = forecast;
            let least = 0;
            for (const rps of [...peakRps, 1e7]) {
              assert.ok(rps >= least && Number.isFinite(rps), JSON.stringify(forecast));
              least = rps;
            }
            assert.ok(reactiveRps >= 0 && Number.isFinite(reactiveRps), JSON.stringify(forecast));
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("LoadForecaster.forecast()", () => {
  it("is null before the first sample", () => {
    assert.equal(new LoadForecaster().forecast(START_MS, HORIZON_MS), null);
  });

  it("is null once the newest sample is older than allowed, or from a future as far away", () => {
    const forecaster = new LoadForecaster();
    const lastMs = feed(forecaster, steady(50, 10));
    assert.notEqual(forecaster.forecast(lastMs + 15_000, HORIZON_MS), null);
    assert.equal(forecaster.forecast(lastMs + 15_001, HORIZON_MS), null);
    assert.equal(forecaster.forecast(lastMs - 15_001, HORIZON_MS), null);
    const strict = new LoadForecaster({ staleAfterMs: 2000 });
    assert.equal(strict.forecast(feed(strict, [50]) + 2001, HORIZON_MS), null);
  });

  it("tells a measured zero from missing data", () => {
    const forecaster = new LoadForecaster();
    const forecast = forecaster.forecast(feed(forecaster, steady(0, 60)), HORIZON_MS)!;
    assert.deepEqual([forecast.peakRps[0], forecast.reactiveRps], [0, 0]);
    assert.ok(forecast.peakRps[3] < 2);
  });

  it("does not unlearn its calibration while there is no load", () => {
    const forecaster = new LoadForecaster();
    feed(forecaster, steady(0, 4 * 3600));
    for (const { calibration } of forecaster.snapshot().peak.horizons)
      for (const offset of calibration.offsets) assert.ok(offset > -3, String(offset));
  });

  it("covers most of a step within three seconds by the reactive rate, and stays when one second is an outlier", () => {
    for (const [fromRps, toRps] of [
      [20, 200],
      [2, 40],
      [500, 1500],
    ] as const) {
      const forecaster = new LoadForecaster();
      const lastMs = feed(forecaster, steady(fromRps, 600));
      assert.equal(forecaster.forecast(lastMs, HORIZON_MS)!.reactiveRps, fromRps);
      const nowMs = feed(forecaster, steady(toRps, 2), lastMs + 1000);
      const { reactiveRps, peakRps } = forecaster.forecast(nowMs, HORIZON_MS)!;
      assert.ok(reactiveRps >= 0.75 * toRps && reactiveRps <= toRps, `${toRps}: ${reactiveRps}`);
      assert.ok(peakRps[2] > fromRps);
      feed(forecaster, steady(fromRps, 10), nowMs + 1000);
      assert.equal(forecaster.forecast(nowMs + 10_000, HORIZON_MS)!.reactiveRps, fromRps);
    }
  });

  it("says by how much the load has risen within ten seconds, and of one that falls or stays nothing", () => {
    const forecaster = new LoadForecaster();
    const steadyMs = feed(forecaster, steady(20, 600));
    assert.equal(forecaster.forecast(steadyMs, HORIZON_MS)!.riseRps, 0);
    const ramp = Array.from({ length: 20 }, (_, second) => 20 + 2 * (second + 1));
    const topMs = feed(forecaster, ramp, steadyMs + 1000);
    const { reactiveRps, riseRps } = forecaster.forecast(topMs, HORIZON_MS)!;
    // Means of 22 to 40 and of 42 to 60.
    assert.deepEqual([reactiveRps, riseRps], [51, 20]);
    const downMs = feed(forecaster, steady(20, 10), topMs + 1000);
    assert.equal(forecaster.forecast(downMs, HORIZON_MS)!.riseRps, 0);
  });

  it("takes no rise for one that chance explains", () => {
    for (const [toRps, riseRps] of [
      [12.2, 0],
      [12.3, 12.3 - 8],
    ] as const) {
      const forecaster = new LoadForecaster();
      const lastMs = feed(forecaster, [...steady(8, 60), ...steady(toRps, 10)]);
      const found = forecaster.forecast(lastMs, HORIZON_MS)!.riseRps!;
      assert.ok(Math.abs(found - riseRps) < 1e-5, `${found} at ${toRps} rps`);
    }
    // A single second says little of what came before; this one is 4.9 at least by chance, of a load of 8.
    const young = new LoadForecaster();
    assert.equal(young.forecast(feed(young, [3, ...steady(8, 10)]), HORIZON_MS)!.riseRps, 0);
  });

  it("rises with the horizon", () => {
    const forecaster = new LoadForecaster();
    const nowMs = feed(forecaster, LOADS["constant"]!(3600, 9));
    let before = 0;
    for (const horizonMs of [20_000, 60_000, 600_000, 3_600_000]) {
      const peakRps = forecaster.forecast(nowMs, horizonMs)!.peakRps[0];
      assert.ok(peakRps > before, `${horizonMs}: ${peakRps}`);
      before = peakRps;
    }
    for (const [between, served] of [
      [1000, 20_000],
      [26_000, 20_000],
      [27_000, 60_000],
      [61_000, 60_000],
      [90_000, 600_000],
    ] as const)
      assert.deepEqual(forecaster.forecast(nowMs, between)?.peakRps, forecaster.forecast(nowMs, served)?.peakRps);
    assert.deepEqual(
      forecaster.forecast(nowMs, 1e12)?.peakRps,
      forecaster.forecast(nowMs, 3_600_000)?.peakRps,
      "beyond an hour it sees no further",
    );
  });

  it("sorts quantiles whose calibrations cross", () => {
    const forecaster = new LoadForecaster();
    const nowMs = feed(forecaster, steady(50, 60));
    const snapshot = forecaster.snapshot();
    const horizons = snapshot.peak.horizons.map(horizon => ({
      ...horizon,
      calibration: { ...horizon.calibration, offsets: [8, 4, 0, -4] },
    }));
    const { peakRps } = LoadForecaster.restore({ ...snapshot, peak: { ...snapshot.peak, horizons } }).forecast(
      nowMs,
      HORIZON_MS,
    )!;
    assert.ok(peakRps[0] < peakRps[1] && peakRps[1] < peakRps[2] && peakRps[2] < peakRps[3], String(peakRps));
  });

  it("changes nothing", () => {
    const forecaster = new LoadForecaster();
    const nowMs = feed(forecaster, LOADS["bursts"]!(900, 4));
    const before = JSON.stringify(forecaster.snapshot());
    for (const horizonMs of [5000, 45_000, 900_000]) forecaster.forecast(nowMs + 1000, horizonMs);
    assert.equal(JSON.stringify(forecaster.snapshot()), before);
  });

  it("refuses arguments that are no times", () => {
    const forecaster = new LoadForecaster();
    for (const horizonMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      assert.throws(() => forecaster.forecast(START_MS, horizonMs), { code: "invalid_argument", message: /horizonMs/ });
    assert.throws(() => forecaster.forecast(Number.NaN, 1000), { code: "invalid_argument", message: /nowMs/ });
  });
});

describe("LoadForecaster.weights()", () => {
  it("start equal, add up to 1, and name the leader", () => {
    const forecaster = new LoadForecaster();
    const equal = 1 / EXPERTS.length;
    assert.deepEqual(forecaster.weights(HORIZON_MS), Object.fromEntries(EXPERTS.map(({ name }) => [name, equal])));
    const nowMs = feed(forecaster, LOADS["constant"]!(1800, 3));
    const weights = forecaster.weights(HORIZON_MS);
    assert.ok(Math.abs(Object.values(weights).reduce((a, b) => a + b) - 1) < 1e-9);
    const [heaviest] = Object.entries(weights).sort((a, b) => b[1] - a[1])[0]!;
    assert.equal(heaviest, "ewma");
    assert.equal(forecaster.forecast(nowMs, HORIZON_MS)!.leader, heaviest);
  });

  it("move to a maximum when the load comes in waves that a mean smooths away", () => {
    const forecaster = new LoadForecaster();
    feed(
      forecaster,
      Array.from({ length: 3600 }, (_, second) => (second % 60 < 5 ? 100 : 10)),
    );
    assert.ok(forecaster.weights(60_000)["ewma"]! < 0.01);
  });
});
