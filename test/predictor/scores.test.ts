import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { exponential, seededRandom } from "../../load/seeded-random.ts";
import { ratioInterval } from "../../predictor/block-bootstrap.ts";
import { Outcomes } from "../../predictor/outcomes.ts";
import { pinballLosses95, scoresOf } from "../../predictor/scores.ts";

const DAY_MS = 86_400_000;

/** Rows of actual, median, 0.9 and 0.95 quantile, an hour apart. */
function outcomesOf(
  rows: readonly (readonly [actual: number, median: number, q90: number, q95: number])[],
  stepMs = 3_600_000,
) {
  const outcomes = new Outcomes();
  for (const [i, [actual, median, q90, q95]] of rows.entries())
    outcomes.add(i * stepMs, actual, [median, q90, q95, q95]);
  return outcomes;
}

describe("scoresOf()", () => {
  it("is what one calculates by hand", () => {
    const scores = scoresOf(
      outcomesOf([
        [10, 10, 12, 20],
        [30, 10, 20, 25],
        [0, 0, 0, 0],
        [20, 30, 40, 50],
      ]),
    )!;
    assert.equal(scores.origins, 4);
    assert.ok(Math.abs(scores.smape - (100 * (0 + 20 / 20 + 0 + 10 / 25)) / 4) < 1e-12);
    assert.equal(scores.mae, 30 / 4);
    assert.ok(Math.abs(scores.pinball90 - (0.1 * 2 + 0.9 * 10 + 0 + 0.1 * 20) / 4) < 1e-12);
    assert.ok(Math.abs(scores.pinball95 - (0.05 * 10 + 0.95 * 5 + 0 + 0.05 * 30) / 4) < 1e-12);
    assert.deepEqual([scores.coverage95, scores.shortfall, scores.worstDayCoverage95], [75, 5, null]);
    assert.ok(Math.abs(scores.overProvision! - (100 * (10 - 5 + 0 + 30)) / 60) < 1e-12);
  });

  it("has nothing to say of nothing, and no percentage of a load of zero", () => {
    assert.equal(scoresOf(new Outcomes()), null);
    const scores = scoresOf(outcomesOf([[0, 0, 1, 1]]))!;
    assert.deepEqual([scores.smape, scores.overProvision, scores.shortfall], [0, null, 0]);
  });

  it("finds the day that was covered worst among those with enough forecasts", () => {
    const day = (hits: number, of: number) =>
      Array.from({ length: of }, (_, i): readonly [number, number, number, number] => [i < hits ? 5 : 15, 5, 8, 10]);
    const rows = [...day(96, 100), ...day(90, 100), ...day(0, 50)];
    assert.equal(scoresOf(outcomesOf(rows, DAY_MS / 100))!.worstDayCoverage95, 90);
  });

  it("never gives what is no number", () => {
    const rate = fc.double({ min: 0, max: 1e7, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(rate, rate, rate, rate), { minLength: 1, maxLength: 30 }), rows => {
        for (const value of Object.values(scoresOf(outcomesOf(rows))!))
          assert.ok(value === null || Number.isFinite(value));
      }),
    );
  });
});

describe("ratioInterval()", () => {
  const losses = (seed: number, mean: number, count = 5000): Float64Array => {
    const random = seededRandom(seed);
    return Float64Array.from({ length: count }, () => exponential(random, mean));
  };

  it("holds the true ratio about 95 times of 100, and is the same each time", () => {
    let held = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const { low, high } = ratioInterval(losses(seed, 0.8, 400), losses(seed + 10_000, 1, 400), 5)!;
      if (low <= 0.8 && 0.8 <= high) held += 1;
    }
    assert.ok(held >= 178 && held <= 200, String(held));
    assert.deepEqual(ratioInterval(losses(1, 1), losses(2, 1), 10), ratioInterval(losses(1, 1), losses(2, 1), 10));
  });

  it("is wider for blocks as long as what depends on each other", () => {
    const independent = losses(4, 1, 200);
    const repeated = Float64Array.from({ length: 4000 }, (_, i) => independent[Math.floor(i / 20)]!);
    const against = new Float64Array(4000).fill(1);
    const width = (block: number) => {
      const { low, high } = ratioInterval(repeated, against, block)!;
      return high - low;
    };
    assert.ok(width(100) > 3 * width(1), `${width(100)} ${width(1)}`);
  });

  it("is narrow where both forecasters miss the same", () => {
    const against = losses(5, 1);
    const { ratio, low, high } = ratioInterval(
      against.map(loss => 0.9 * loss),
      against,
      50,
    )!;
    for (const value of [ratio, low, high]) assert.ok(Math.abs(value - 0.9) < 1e-9);
  });

  it("has nothing to say of nothing, or against no loss at all", () => {
    assert.equal(ratioInterval(new Float64Array(0), new Float64Array(0), 5), null);
    assert.equal(ratioInterval(Float64Array.of(1), Float64Array.of(0), 5), null);
    assert.deepEqual(ratioInterval(Float64Array.of(1), Float64Array.of(2), 500), { ratio: 0.5, low: 0.5, high: 0.5 });
  });

  it("is made of the losses that the scores are means of", () => {
    const outcomes = outcomesOf([
      [10, 0, 0, 20],
      [30, 0, 0, 25],
    ]);
    const mean = pinballLosses95(outcomes).reduce((sum, loss) => sum + loss, 0) / 2;
    assert.ok(Math.abs(mean - scoresOf(outcomes)!.pinball95) < 1e-12);
  });
});
