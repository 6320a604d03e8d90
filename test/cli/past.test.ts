import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { NO_PAST, pastOf } from "../../cli/simulate/past.ts";
import { poissonCount } from "../../load/poisson-count.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { OWN_MODEL } from "../../predictor/training/own-model-settings.ts";
import { forecastSource } from "../../simulator/forecast-source.ts";

const STEP_MS = 1000;
/** Less exact than usual, which takes a minute. */
const QUICK = { ...OWN_MODEL, seeds: [1], epochs: 1 };

/** A level that is ten times as high for a minute of every ten. */
function wave(seconds: number) {
  const random = seededRandom(1);
  const rate = (second: number): number => (second % 600 >= 300 && second % 600 < 360 ? 100 : 10);
  return {
    startMs: Date.UTC(2026, 0, 5),
    ratesRps: Float64Array.from({ length: seconds }, (_, second) => poissonCount(random, rate(second))),
  };
}

describe("pastOf()", () => {
  it("knows nothing of no load", async () => {
    assert.deepEqual(await pastOf({ startMs: 0, ratesRps: new Float64Array(0) }, OWN_MODEL), NO_PAST);
  });

  it("lets the simulated forecaster go on where that of a scaler would be", async () => {
    const whole = wave(7200);
    const past = { startMs: whole.startMs, ratesRps: whole.ratesRps.subarray(0, 7000) };
    const known = await pastOf(past, null);
    assert.equal(known.ownModel, null);
    assert.ok((known.learnt?.peak.horizons[0]?.calibration.outcomes ?? 0) > 100);
    const rest = { startMs: whole.startMs + 7000 * STEP_MS, ratesRps: whole.ratesRps.slice(7000) };
    const sourceWith = (learnt: typeof known.learnt) =>
      forecastSource("variscale", { trace: rest, history: known.history, learnt, model: null, margin: 1 });
    const forecastOf = (source: ReturnType<typeof sourceWith>): number => {
      source.observe({ atMs: rest.startMs + STEP_MS, rateRps: rest.ratesRps[0] ?? 0 });
      return source.forecast(rest.startMs + STEP_MS, 20_000)?.peakRps[2] ?? Number.NaN;
    };
    const whole20 = await pastOf({ startMs: whole.startMs, ratesRps: whole.ratesRps.subarray(0, 7001) }, null);
    const ran = forecastSource("variscale", {
      trace: rest,
      history: whole20.history,
      learnt: whole20.learnt,
      model: null,
      margin: 1,
    });
    const expected = ran.forecast(rest.startMs + STEP_MS, 20_000)?.peakRps[2] ?? Number.NaN;
    // A cell that is kept is a little less exact than its seconds.
    const isNear = (rate: number): boolean => Math.abs(rate / expected - 1) < 0.002;
    const [goneOn, begun] = [forecastOf(sourceWith(known.learnt)), forecastOf(sourceWith(null))];
    assert.ok(isNear(goneOn), `${goneOn} as if it had run through, ${expected}`);
    assert.ok(!isNear(begun), `${begun} without what was learnt`);
  });

  it("trains a network where there is a day of load, and goes on with the bundled one before", async function () {
    this.timeout(600_000);
    assert.equal((await pastOf(wave(3600), QUICK)).ownModel, null);
    const { ownModel } = await pastOf(wave(86_400), QUICK);
    assert.deepEqual(
      ownModel?.horizons.map(({ horizonSeconds }) => horizonSeconds),
      [20, 60, 600],
    );
    assert.equal(ownModel?.features, "seasonal");
  });
});
