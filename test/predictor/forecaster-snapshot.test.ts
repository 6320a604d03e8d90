import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";
import { LOADS } from "./seeded-loads.ts";

const HORIZON_MS = 20_000;

function trained(seconds: number): LoadForecaster {
  const forecaster = new LoadForecaster();
  for (const [second, rateRps] of LOADS["shifts"]!(seconds, 5).entries())
    if (second % 97 !== 0) forecaster.observe({ atMs: second * 1000, rateRps: rateRps * 1.037 });
  return forecaster;
}

function isFresh(forecaster: LoadForecaster): boolean {
  return JSON.stringify(forecaster.snapshot()) === JSON.stringify(new LoadForecaster().snapshot());
}

describe("LoadForecaster.restore()", () => {
  for (const seconds of [0, 1, 700, 8000]) {
    it(`goes on exactly where a snapshot after ${seconds} s was taken`, () => {
      const original = trained(seconds);
      const written = JSON.stringify(original.snapshot());
      const restored = LoadForecaster.restore(JSON.parse(written), {}, original.cellsAfter(Number.NEGATIVE_INFINITY));
      assert.equal(JSON.stringify(restored.snapshot()), written);
      for (let second = seconds; second < seconds + 900; second++) {
        const sample = { atMs: second * 1000, rateRps: 40 + (second % 13) * 1.7 };
        original.observe(sample);
        restored.observe(sample);
        assert.deepEqual(restored.forecast(sample.atMs, HORIZON_MS), original.forecast(sample.atMs, HORIZON_MS));
      }
      assert.equal(JSON.stringify(restored.snapshot()), JSON.stringify(original.snapshot()));
    });
  }

  it("is not changed by what happens to the one that the snapshot came from", () => {
    const original = trained(700);
    const snapshot = original.snapshot();
    const written = JSON.stringify(snapshot);
    original.observe({ atMs: 800_000, rateRps: 1 });
    assert.equal(JSON.stringify(snapshot), written);
  });

  it("starts afresh from what is no snapshot", () => {
    for (const value of [undefined, null, 1, "x", [], {}, { version: 1 }, { version: 2 }])
      assert.ok(isFresh(LoadForecaster.restore(value)), JSON.stringify(value));
    fc.assert(fc.property(fc.anything(), value => isFresh(LoadForecaster.restore(value))));
  });

  const damages: Readonly<Record<string, readonly [path: string, value: unknown]>> = {
    "of another version": ["version", 1],
    "with a rate below 0": ["ratesRps.3", -1],
    "with a rate that is text": ["ratesRps.3", "12"],
    "with a second that is no number": ["second", "5"],
    "with more rates than are kept": ["ratesRps", new Array<number>(601).fill(1)],
    "without its newest rate": ["ratesRps.599", null],
    "without its clock": ["clock", null],
    "with a broken clock": ["clock.newestAtMs", null],
    "with a broken run of early samples": ["clock.early", { atMs: 1 }],
    "with a horizon missing": ["peak.horizons.length", 2],
    "with another horizon": ["peak.horizons.0.horizonSeconds", 11],
    "with an expert missing": ["peak.horizons.1.lossSums.length", 3],
    "with a loss that is null": ["peak.horizons.1.lossSums.0.2", null],
    "with an offset missing": ["peak.horizons.2.calibration.offsets.length", 3],
    "with outcomes that are no count": ["peak.horizons.2.calibration.outcomes", -1],
    "with an excess below 0": ["peak.horizons.2.calibration.missExcess.1", -1],
    "with a prediction of the future": ["peak.horizons.0.pending.9.second", 1e6],
    "with predictions out of order": ["peak.horizons.0.pending.4.second", 1],
    "with too many predictions": ["peak.horizons.0.pending", Array.from({ length: 40 }, (_, i) => ({ second: i + 1 }))],
    "with an expert of the rate missing": ["rate.horizons.1.lossSums.length", 3],
    "with an offset of the rate missing": ["rate.horizons.0.calibration.offsets.length", 4],
    "with a prediction cut short": ["peak.horizons.0.pending.0.experts.length", 3],
  };
  for (const [name, [path, value]] of Object.entries(damages)) {
    it(`starts afresh from a snapshot ${name}`, () => {
      const snapshot = JSON.parse(JSON.stringify(trained(701).snapshot()));
      assert.equal(JSON.stringify(LoadForecaster.restore(snapshot).snapshot()), JSON.stringify(snapshot));
      const keys = path.split(".");
      const last = keys.pop()!;
      const parent = keys.reduce((at, key) => at[key], snapshot);
      assert.ok(last in parent, path);
      parent[last] = value;
      assert.ok(isFresh(LoadForecaster.restore(snapshot)));
    });
  }
});
