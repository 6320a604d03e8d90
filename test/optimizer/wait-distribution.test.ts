import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { StageLatency } from "../../optimizer/latency.ts";
import { pathDistribution, pathQuantileMs } from "../../optimizer/stage-mixture.ts";
import {
  CELLS,
  chanceSumWithin,
  chanceWithin,
  convolve,
  cumulativeOf,
  entriesFor,
} from "../../optimizer/wait-distribution.ts";

const SERVED: StageLatency = {
  constantMs: 0,
  service: [{ share: 1, moreMs: 0, firstMs: 0, secondMs: 0, secondShare: 0 }],
  waitShare: 0,
  residualMs: 0,
  residualServers: 1,
  growthMs: 0,
  growthMaxMs: 0,
  backlogShare: 0,
  backlogMs: 0,
  slowestOf: 1,
};

function exponential(meanMs: number): StageLatency {
  return { ...SERVED, service: [{ share: 1, moreMs: 0, firstMs: 0, secondMs: meanMs, secondShare: 1 }] };
}

function stage(latency: StageLatency) {
  return { rows: 1, parts: [{ share: 1, latency }] };
}

const cumulative = fc
  .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 20 })
  .map(values => Float64Array.from(values).sort());

describe("cumulativeOf()", () => {
  it("is the exponential distribution where that is all there is", () => {
    const chances = cumulativeOf(exponential(100), 10);
    for (const ms of [50, 100, 200, 400]) {
      assert.ok(Math.abs(chanceWithin(chances, 10, ms) - (1 - Math.exp(-ms / 100))) < 2e-3);
    }
  });

  it("keeps the mean exact on a grid that is far too coarse", () => {
    const latency = {
      ...exponential(3),
      waitShare: 0.5,
      residualMs: 8,
      residualServers: 1,
      backlogShare: 0.5,
      backlogMs: 6,
    };
    for (const stepMs of [0.5, 5, 20]) {
      const mean = cumulativeOf(latency, stepMs, 400).reduce((sum, chance) => sum + (1 - chance) * stepMs, 0);
      assert.ok(Math.abs(mean - (3 + 0.5 * (4 + 0.5 * 6))) < 0.05, `${mean} at ${stepMs}`);
    }
  });

  it("mixes the services of groups of several sizes", () => {
    const noise = { firstMs: 0, secondMs: 0, secondShare: 0 };
    const service = [
      { share: 0.75, moreMs: 0, ...noise },
      { share: 0.25, moreMs: 30, ...noise, secondMs: 10, secondShare: 1 },
    ];
    const chances = cumulativeOf({ ...SERVED, service }, 1);
    assert.ok(Math.abs(chanceWithin(chances, 1, 20) - 0.75) < 1e-9);
    assert.ok(Math.abs(chanceWithin(chances, 1, 40) - (1 - 0.25 * Math.exp(-1))) < 0.01);
  });

  it("cuts the growth of a batch at its size", () => {
    const latency = { ...SERVED, waitShare: 1, residualMs: 1e-9, growthMs: 40, growthMaxMs: 20 };
    const chances = cumulativeOf(latency, 1);
    assert.ok(Math.abs(chanceWithin(chances, 1, 10) - (1 - Math.exp(-10 / 40))) < 0.01);
    assert.ok(chanceWithin(chances, 1, 22) > 0.999);
  });
});

describe("convolve()", () => {
  it("does not depend on the order, and adds constant times of 0", () => {
    const zero = new Float64Array(20).fill(1);
    fc.assert(
      fc.property(cumulative, cumulative, (a, b) => {
        const [ab, ba] = [convolve(a, b), convolve(b, a)];
        ab.forEach((chance, i) => {
          assert.ok(Math.abs(chance - ba[i]!) < 1e-12);
        });
        convolve(a, zero).forEach((chance, i) => {
          assert.ok(Math.abs(chance - a[i]!) < 1e-12);
        });
      }),
    );
  });

  it("gives Erlang's distribution for two equal exponentials", () => {
    const one = cumulativeOf(exponential(100), 10);
    const two = convolve(one, one);
    for (const ms of [100, 200, 400]) {
      const exact = 1 - Math.exp(-ms / 100) * (1 + ms / 100);
      assert.ok(Math.abs(chanceWithin(two, 10, ms) - exact) < 3e-3);
    }
  });

  it("never rises when a part is later", () => {
    fc.assert(
      fc.property(cumulative, cumulative, cumulative, (a, b, c) => {
        const later = a.map((chance, i) => Math.min(chance, b[i]!));
        const [sooner, late] = [convolve(a, c), convolve(later, c)];
        late.forEach((chance, i) => {
          assert.ok(chance <= sooner[i]! + 1e-12);
        });
      }),
    );
  });
});

describe("chanceSumWithin()", () => {
  it("is the chance of the convolution", () => {
    fc.assert(
      fc.property(cumulative, cumulative, fc.double({ min: -1, max: 25, noNaN: true }), (a, b, ms) => {
        const expected = chanceWithin(convolve(a, b), 1, ms);
        assert.ok(Math.abs(chanceSumWithin(a, b, 1, ms) - expected) < 1e-12);
        assert.equal(chanceSumWithin(a, null, 1, ms), chanceWithin(a, 1, ms));
      }),
    );
  });

  it("needs no more entries than entriesFor() says", () => {
    const whole = cumulativeOf(exponential(7), 1);
    fc.assert(
      fc.property(fc.double({ min: 0, max: CELLS - 1, noNaN: true }), ms => {
        const short = whole.slice(0, entriesFor(1, ms));
        assert.ok(Math.abs(chanceSumWithin(short, short, 1, ms) - chanceSumWithin(whole, whole, 1, ms)) < 1e-12);
      }),
    );
  });
});

describe("pathQuantileMs()", () => {
  it("is right for one exponential, on top of what is constant", () => {
    const ms = pathQuantileMs([stage({ ...exponential(10), constantMs: 5 })], 0.95);
    assert.ok(Math.abs(ms - (5 + 10 * Math.log(20))) < 0.3, `${ms}`);
  });

  it("adds stages in the quantile of their sum, not in the sum of their quantiles", () => {
    const ms = pathQuantileMs([stage(exponential(10)), stage(exponential(10))], 0.95);
    assert.ok(Math.abs(ms - 47.4) < 0.5, `${ms}`);
  });

  it("is what is constant when nothing else is there", () => {
    assert.equal(pathQuantileMs([stage({ ...SERVED, constantMs: 7 })], 0.99), 7);
    assert.equal(pathQuantileMs([], 0.99), 0);
  });
});

describe("pathDistribution()", () => {
  it("mixes the parts of a stage by their shares", () => {
    const parts = [
      { share: 0.75, latency: { ...SERVED, constantMs: 10 } },
      { share: 0.25, latency: { ...SERVED, constantMs: 30 } },
    ];
    const one = pathDistribution([{ rows: 1, parts }], 1, 40);
    assert.equal(one.constantMs, 10);
    assert.ok(Math.abs(chanceWithin(one.cumulative, 1, 15) - 0.75) < 1e-9);
    assert.ok(Math.abs(chanceWithin(one.cumulative, 1, 25) - 1) < 1e-9);
    const four = pathDistribution([{ rows: 4, parts }], 1, 40);
    assert.ok(Math.abs(chanceWithin(four.cumulative, 1, 15) - 0.75 ** 4) < 1e-9);
  });
});
