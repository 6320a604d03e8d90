import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { intensities } from "../../predictor/intensity.ts";
import { poissonMaximum } from "../../predictor/poisson-maximum.ts";

describe("intensities()", () => {
  it("finds the rate again whose highest seconds the quantiles are", () => {
    for (const rate of [0.5, 2, 7, 20, 59, 60, 100, 1000]) {
      for (const seconds of [10, 30, 600]) {
        const found = intensities(poissonMaximum(rate, seconds), seconds)[2]!;
        // Half a count more or less at the quantile is all that a whole number can tell.
        assert.ok(Math.abs(found - rate) < 0.1 + 0.05 * Math.sqrt(rate), `${rate} rps over ${seconds} s: ${found}`);
      }
    }
  });

  it("is the worked example of its comment", () => {
    assert.equal(poissonMaximum(2, 20)[2], 7);
    assert.ok(Math.abs(intensities(poissonMaximum(2, 20), 20)[2]! - 1.99) < 0.005);
  });

  it("is neither above nor below the rate on average, although counts are whole", () => {
    let sum = 0;
    let rates = 0;
    for (let rate = 1; rate < 10; rate += 0.05) {
      sum += intensities(poissonMaximum(rate, 25), 25)[2]! / rate;
      rates += 1;
    }
    assert.ok(Math.abs(sum / rates - 1) < 0.04, String(sum / rates));
  });

  it("is far below the peak at low rates and close to it at high ones", () => {
    assert.ok(intensities([5, 6, 6, 7], 20)[2]! < 3);
    assert.ok(intensities([10_300, 10_350, 10_400, 10_450], 20)[2]! > 10_000);
  });

  it("never falls, is never above the peak, and never NaN", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 4, maxLength: 4 }),
        fc.integer({ min: 1, max: 3600 }),
        (values, seconds) => {
          const [a = 0, b = 0, c = 0, d = 0] = [...values].sort((x, y) => x - y);
          const peak = [a, b, c, d] as const;
          const found = intensities(peak, seconds);
          for (const i of [0, 1, 2, 3] as const) {
            assert.ok(found[i]! >= 0 && found[i]! <= peak[i], `${found[i]} of ${peak[i]}`);
            assert.ok(i === 0 || found[i]! >= found[i - 1]!);
          }
        },
      ),
    );
  });
});
