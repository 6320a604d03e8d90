import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { normal, seededRandom } from "../../load/seeded-random.ts";
import { anscombe } from "../../predictor/anscombe.ts";
import { type Calibration, calibrate, forgetMiddle, UNCALIBRATED } from "../../predictor/conformal.ts";
import { addLosses, expertWeights, lossKept, mix, NO_LOSSES } from "../../predictor/hedge.ts";
import { normalQuantile } from "../../predictor/normal-quantile.ts";
import { pinballLoss, type Quantiles, quantiles, rising } from "../../predictor/quantiles.ts";

describe("calibrate()", () => {
  it("makes hopeless predictions keep their promise", () => {
    const random = seededRandom(3);
    let state = UNCALIBRATED;
    const covered = [0, 0, 0, 0];
    for (let k = 0; k < 20_000; k++) {
      const actual = anscombe(400 + 200 * random());
      const issued = quantiles((_q, i) => anscombe(100) + state.offsets[i]);
      if (k >= 10_000) for (const i of [0, 1, 2, 3] as const) if (actual <= issued[i]) covered[i]! += 1;
      state = calibrate(state, issued, actual, 60);
    }
    for (const [i, q] of [0.5, 0.9, 0.95, 0.99].entries())
      assert.ok(Math.abs(covered[i]! / 10_000 - q) < 0.01, `${q}: ${covered[i]! / 10_000}`);
  });

  it("takes steps of q up and 1 − q down, larger after misses by far, a quarter for the middle, longer for seldom misses", () => {
    const issued: Quantiles = [20, 21, 22, 23];
    const settled = { ...UNCALIBRATED, outcomes: 1e6 };
    for (const [i, step] of [0.00125, 0.009, 0.0285, 0.0297].entries())
      assert.ok(Math.abs(calibrate(settled, issued, 30, 60).offsets[i]! - step) < 1e-12);
    assert.ok(Math.abs(calibrate(settled, issued, 10, 60).offsets[2] + 0.0015) < 1e-12);
    for (const [i, step] of [0.00025, 0.0018, 0.0019, 0.00198].entries())
      assert.ok(Math.abs(calibrate(settled, issued, 30, 2.4).offsets[i]! - step) < 1e-12, "oftener, so shorter");
    assert.ok(Math.abs(calibrate({ ...settled, missExcess: [0, 0, 8, 0] }, issued, 30, 60).offsets[2] - 0.228) < 1e-12);
    assert.ok(calibrate(UNCALIBRATED, issued, 30, 60).offsets[2] > 0.2, "the first steps are long");
  });

  it("keeps the promise of 0.95 at 600 s on calm and on rough days", () => {
    const random = seededRandom(5);
    let state: Calibration = { ...UNCALIBRATED, outcomes: 1e6 };
    const covered = [0, 0];
    for (let minute = 0; minute < 60 * 1440; minute++) {
      const isRough = Math.floor(minute / 1440) % 2;
      const actual = 40 + (isRough ? 1.2 : 0.8) * normal(random);
      const issued = quantiles((q, i) => 40 + normalQuantile(q) + state.offsets[i]);
      if (actual <= issued[2]) covered[isRough]! += 1;
      state = calibrate(state, issued, actual, 60);
    }
    const [calm = 0, rough = 0] = covered.map(count => (100 * count) / (30 * 1440));
    assert.ok(rough >= 93 && calm <= 97, `${calm} ${rough}`);
  });

  it("forgets the middle alone", () => {
    const state = { ...UNCALIBRATED, offsets: [1, 2, 3, 4] as const, outcomes: 7 };
    assert.deepEqual(forgetMiddle(state), { ...state, offsets: [0, 2, 3, 4] });
  });

  it("does not go below 0 rps", () => {
    const atZero: Quantiles = [1, 1, 1, 1];
    assert.deepEqual(calibrate(UNCALIBRATED, atZero, 0.5, 60).offsets, [0, 0, 0, 0]);
  });
});

const flat = (...values: readonly Quantiles[]) => new Float64Array(values.flat());

describe("expertWeights()", () => {
  const sums = (...losses: readonly number[]) => flat(...losses.map((loss): Quantiles => [0, 0, loss, 0]));

  it("are equal for equal losses and shrink with the loss, however large", () => {
    assert.deepEqual(expertWeights(sums(3, 3), 2, 20), [0.5, 0.5]);
    const [a = 0, b = 0, c = 0] = expertWeights(sums(1e6, 1e6 + 1, 1e9), 2, 20);
    assert.ok(a > b && b > c && c === 0 && Math.abs(a + b - 1) < 1e-12);
    assert.deepEqual(expertWeights(sums(1, 9), 1, 20), [0.5, 0.5]);
  });

  it("shrink more slowly where many outcomes share a horizon of more than a minute", () => {
    const lead = (loss: number, horizonSeconds: number): number => {
      const [better = 0, worse = 0] = expertWeights(sums(0, loss), 2, horizonSeconds);
      return Math.log(better / worse);
    };
    for (const [loss, horizonSeconds, expected] of [
      [10, 20, 2],
      [10, 60, 2],
      [10, 600, 0.2],
    ] as const)
      assert.ok(Math.abs(lead(loss, horizonSeconds) - expected) < 1e-9, `${horizonSeconds} s`);
  });
});

describe("lossKept()", () => {
  it("is a half after six hours, at 600 s after a day", () => {
    for (const [horizonSeconds, hours] of [
      [20, 6],
      [60, 6],
      [600, 24],
    ] as const)
      assert.equal(lossKept(horizonSeconds, hours * 3600, 60 * 86_400), 0.5);
  });

  it("is a half after half of what is known of a young load, but at 600 s", () => {
    for (const [horizonSeconds, knownSeconds, halfLifeSeconds] of [
      [20, 0, 300],
      [60, 3600, 1800],
      [60, 43_200, 21_600],
      [600, 3600, 86_400],
    ] as const)
      assert.equal(lossKept(horizonSeconds, halfLifeSeconds, knownSeconds), 0.5, `${horizonSeconds} ${knownSeconds}`);
  });
});

describe("addLosses()", () => {
  it("keeps a share of what was and bounds what is new, quantile by quantile", () => {
    const sums = flat([4, 2, 0, 0], [0, 0, 0, 0]);
    const predictions = flat([99, 99, 99, 99], [10, 10, 10, 10], [0, 0, 0, 1e9]);
    addLosses(sums, predictions, 4, 12, 0.5);
    assert.deepEqual([...sums], [3, 1 + 0.9 * 2, 0.95 * 2, 0.99 * 2, 5, 5, 5, 5]);
  });
});

describe("mix()", () => {
  it("is the mean of every quantile by its own weights", () => {
    const predictions: readonly Quantiles[] = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ];
    assert.deepEqual(mix(predictions, flat(NO_LOSSES, NO_LOSSES), 20), [2, 3, 4, 5]);
    assert.deepEqual(mix(predictions, flat([1e9, 0, 0, 0], NO_LOSSES), 20), [4, 3, 4, 5]);
  });
});

describe("pinballLoss()", () => {
  it("charges a shortfall q and an excess 1 − q", () => {
    assert.equal(pinballLoss([10, 10, 10, 10], 10), 0);
    assert.ok(Math.abs(pinballLoss([0, 0, 0, 0], 1) - (0.5 + 0.9 + 0.95 + 0.99) / 4) < 1e-12);
    assert.ok(Math.abs(pinballLoss([1, 1, 1, 1], 0) - (0.5 + 0.1 + 0.05 + 0.01) / 4) < 1e-12);
  });
});

describe("rising()", () => {
  it("sorts quantiles that cross", () => {
    assert.deepEqual(rising([3, 1, 4, 2]), [1, 2, 3, 4]);
  });
});
