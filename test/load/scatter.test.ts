import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { scatter, seedOf } from "../../load/scatter.ts";
import { LoadForecaster } from "../../predictor/load-forecaster.ts";

const even = (parts: number) => Array.from({ length: parts }, () => 1 / parts);

describe("scatter()", () => {
  it("gives whole numbers that add up to the count, the same for the same seed", () => {
    const weights = fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), weights, fc.nat(), (count, parts, seed) => {
        const total = parts.reduce((sum, part) => sum + part, 0);
        const shares = parts.map(part => part / total);
        const counts = scatter(count, shares, seed);
        assert.equal(
          counts.reduce((sum, one) => sum + one, 0),
          count,
        );
        assert.ok(counts.every(one => Number.isInteger(one) && one >= 0));
        assert.deepEqual(scatter(count, shares, seed), counts);
      }),
    );
  });

  it("spreads as Poisson arrivals do, given their number", () => {
    for (const count of [4, 60, 1500, 150_000]) {
      const drawn = Array.from({ length: 4000 }, (_, i) => scatter(count, even(15), seedOf("x", i))[i % 15] ?? -1);
      const mean = drawn.reduce((sum, one) => sum + one, 0) / drawn.length;
      const variance = drawn.reduce((sum, one) => sum + (one - mean) ** 2, 0) / drawn.length;
      const [expected, spread] = [count / 15, (count / 15) * (14 / 15)];
      assert.ok(Math.abs(mean - expected) < 5 * Math.sqrt(spread / drawn.length), `${count}: mean ${mean}`);
      assert.ok(Math.abs(variance / spread - 1) < 0.12, `${count}: variance ${variance}, expected ${spread}`);
    }
  });

  it("gives each part its share", () => {
    const drawn = Array.from({ length: 2000 }, (_, i) => scatter(100, [0.1, 0.7, 0.2], i));
    for (const [i, share] of [0.1, 0.7, 0.2].entries()) {
      const mean = drawn.reduce((sum, one) => sum + (one[i] ?? 0), 0) / drawn.length;
      assert.ok(Math.abs(mean - 100 * share) < 1, `${i}: ${mean}`);
    }
  });

  it("makes one arrival of a fraction as often as it says", () => {
    const drawn = Array.from({ length: 4000 }, (_, i) => scatter(2.25, even(3), i).reduce((sum, one) => sum + one, 0));
    assert.deepEqual([...new Set(drawn)].sort(), [2, 3]);
    const share = drawn.filter(one => one === 3).length / drawn.length;
    assert.ok(Math.abs(share - 0.25) < 0.03, String(share));
  });

  it("lets the forecaster see in scrapes what it sees in exact seconds, which averages do not", () => {
    const exact = Array.from({ length: 120 }, (_, i) => scatter(300, even(15), seedOf("load", i)));
    const intensity = (intervals: readonly (readonly number[])[]): number => {
      const forecaster = new LoadForecaster();
      for (const [i, rateRps] of intervals.flat().entries()) forecaster.observe({ atMs: 1000 * (i + 1), rateRps });
      return forecaster.forecast(1_800_000, 20_000)?.intensityRps[2] ?? Number.NaN;
    };
    const known = intensity(exact);
    const drawn = intensity(exact.map((_, i) => scatter(300, even(15), seedOf("draw", i))));
    const averages = intensity(exact.map(() => even(15).map(share => 300 * share)));
    assert.ok(known > 18 && Math.abs(drawn / known - 1) < 0.2, `exact ${known}, drawn ${drawn}`);
    assert.ok(averages < 0.8 * known, `averages ${averages}`);
  });
});
