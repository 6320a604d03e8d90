import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { scaleLoad } from "../../load/scale-load.ts";

const LOAD = { startMs: 0, ratesRps: Float64Array.from({ length: 2000 }, (_, i) => (i % 10 === 0 ? Number.NaN : 40)) };

describe("scaleLoad()", () => {
  it("keeps each request with the chance that is asked for, so that counts spread as Poisson ones would", () => {
    const known = scaleLoad(LOAD, 0.25, 1).ratesRps.filter(rate => !Number.isNaN(rate));
    const mean = known.reduce((sum, rate) => sum + rate, 0) / known.length;
    const variance = known.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / known.length;
    assert.ok(Math.abs(mean - 10) < 0.3, `${mean}`);
    assert.ok(Math.abs(variance - 7.5) < 0.8, `${variance}`);
    assert.ok(known.every(rate => Number.isInteger(rate) && rate <= 40));
  });

  it("multiplies rates above 1, leaves 1 as it is, and what is not known unknown", () => {
    const doubled = scaleLoad(LOAD, 2, 1).ratesRps;
    assert.deepEqual([doubled[0], doubled[1]], [Number.NaN, 80]);
    assert.deepEqual(scaleLoad(LOAD, 1, 1), LOAD);
  });
});
