import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { normal, seededRandom } from "../../load/seeded-random.ts";
import { anscombe } from "../../predictor/anscombe.ts";
import { type Calibration, calibrate, createCalibration, forgetMiddle } from "../../predictor/conformal.ts";
import { addLosses, lossKept, mix, weighExperts } from "../../predictor/hedge.ts";
import { normalQuantile } from "../../predictor/normal-quantile.ts";
import { meanPinballLoss, type Quantiles, sortRising } from "../../predictor/quantiles.ts";

const UNCALIBRATED = createCalibration(QUANTILES);
const NO_LOSSES: Quantiles = [0, 0, 0, 0];

describe("calibrate()", () => {
  it("makes hopeless predictions keep their promise", () => {
    const random = seededRandom(3);
    let state = UNCALIBRATED;
    const covered = [0, 0, 0, 0];
    for (let k = 0; k < 20_000; k++) {
      const actual = anscombe(400 + 200 * random());
      const issued = QUANTILES.map((_q, i) => anscombe(100) + state.offsets[i]!);
      if (k >= 10_000) for (const i of [0, 1, 2, 3] as const) if (actual <= issued[i]!) covered[i]! += 1;
      state = calibrate(state, QUANTILES, issued, actual, 60);
    }
    for (const [i, q] of [0.5, 0.9, 0.95, 0.99].entries())
      assert.ok(Math.abs(covered[i]! / 10_000 - q) < 0.01, `${q}: ${covered[i]! / 10_000}`);
  });

  it("takes steps of q up and 1 − q down, larger after misses by far, a quarter for the middle, longer for seldom misses", () => {
    const issued: Quantiles = [20, 21, 22, 23];
    const settled = { ...UNCALIBRATED, outcomes: 1e6 };
    for (const [i, step] of [0.00125, 0.009, 0.0285, 0.0297].entries())
      assert.ok(Math.abs(calibrate(settled, QUANTILES, issued, 30, 60).offsets[i]! - step) < 1e-12);
    assert.ok(Math.abs(calibrate(settled, QUANTILES, issued, 10, 60).offsets[2]! + 0.0015) < 1e-12);
    for (const [i, step] of [0.00025, 0.0018, 0.0019, 0.00198].entries())
      assert.ok(
        Math.abs(calibrate(settled, QUANTILES, issued, 30, 2.4).offsets[i]! - step) < 1e-12,
        "oftener, so shorter",
      );
    assert.ok(
      Math.abs(calibrate({ ...settled, missExcess: [0, 0, 8, 0] }, QUANTILES, issued, 30, 60).offsets[2]! - 0.228) <
        1e-12,
    );
    assert.ok(calibrate(UNCALIBRATED, QUANTILES, issued, 30, 60).offsets[2]! > 0.2, "the first steps are long");
  });

  it("keeps the promise of 0.95 at 600 s on calm and on rough days", () => {
    const random = seededRandom(5);
    let state: Calibration = { ...UNCALIBRATED, outcomes: 1e6 };
    const covered = [0, 0];
    for (let minute = 0; minute < 60 * 1440; minute++) {
      const isRough = Math.floor(minute / 1440) % 2;
      const actual = 40 + (isRough ? 1.2 : 0.8) * normal(random);
      const issued = QUANTILES.map((q, i) => 40 + normalQuantile(q) + state.offsets[i]!);
      if (actual <= issued[2]!) covered[isRough]! += 1;
      state = calibrate(state, QUANTILES, issued, actual, 60);
    }
    const [calm = 0, rough = 0] = covered.map(count => (100 * count) / (30 * 1440));
    assert.ok(rough >= 93 && calm <= 97, `${calm} ${rough}`);
  });

  it("mirrors below the middle what it does above", () => {
    const random = seededRandom(7);
    let state: Calibration = { ...createCalibration(RATE_QUANTILES), outcomes: 1e6 };
    const covered = RATE_QUANTILES.map(() => 0);
    for (let k = 0; k < 40_000; k++) {
      const actual = 40 + 3 * normal(random);
      const issued = RATE_QUANTILES.map((q, i) => 41 + normalQuantile(q) + state.offsets[i]!);
      if (k >= 20_000) for (const [i, quantile] of issued.entries()) if (actual <= quantile) covered[i]! += 1;
      state = calibrate(state, RATE_QUANTILES, issued, actual, 60);
    }
    for (const [i, q] of RATE_QUANTILES.entries())
      assert.ok(Math.abs(covered[i]! / 20_000 - q) < 0.01, `${q}: ${covered[i]! / 20_000}`);
    const at = (q: number): number => RATE_QUANTILES.indexOf(q as 0.5);
    const settled: Calibration = { ...createCalibration(RATE_QUANTILES), outcomes: 1e6 };
    const up = calibrate(
      settled,
      RATE_QUANTILES,
      RATE_QUANTILES.map(() => 20),
      30,
      60,
    );
    const down = calibrate(
      settled,
      RATE_QUANTILES,
      RATE_QUANTILES.map(() => 20),
      10,
      60,
    );
    assert.ok(Math.abs(up.offsets[at(0.95)]! + down.offsets[at(0.05)]!) < 1e-12);
    assert.deepEqual([up.missExcess[at(0.95)], down.missExcess[at(0.05)]], [0.2, 0.2]);
    assert.deepEqual([up.missExcess[at(0.05)], down.missExcess[at(0.95)]], [0, 0]);
  });

  it("forgets the middle alone", () => {
    const state = { ...UNCALIBRATED, offsets: [1, 2, 3, 4] as const, outcomes: 7 };
    assert.deepEqual(forgetMiddle(state, QUANTILES), { ...state, offsets: [0, 2, 3, 4] });
  });

  it("does not go below 0 rps", () => {
    const atZero: Quantiles = [1, 1, 1, 1];
    assert.deepEqual(calibrate(UNCALIBRATED, QUANTILES, atZero, 0.5, 60).offsets, [0, 0, 0, 0]);
  });
});

const flat = (...values: readonly Quantiles[]) => new Float64Array(values.flat());

describe("weighExperts()", () => {
  const sums = (...losses: readonly number[]) => flat(...losses.map((loss): Quantiles => [0, 0, loss, 0]));

  it("are equal for equal losses and shrink with the loss, however large", () => {
    assert.deepEqual(weighExperts(sums(3, 3), 4, 2, 20), [0.5, 0.5]);
    const [a = 0, b = 0, c = 0] = weighExperts(sums(1e6, 1e6 + 1, 1e9), 4, 2, 20);
    assert.ok(a > b && b > c && c === 0 && Math.abs(a + b - 1) < 1e-12);
    assert.deepEqual(weighExperts(sums(1, 9), 4, 1, 20), [0.5, 0.5]);
  });

  it("shrink more slowly where many outcomes share a horizon of more than a minute", () => {
    const lead = (loss: number, horizonSeconds: number): number => {
      const [better = 0, worse = 0] = weighExperts(sums(0, loss), 4, 2, horizonSeconds);
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
    addLosses(sums, QUANTILES, { predictions, from: 4, actual: 12, unit: 1 }, 0.5);
    assert.deepEqual([...sums], [3, 1 + 0.9 * 2, 0.95 * 2, 0.99 * 2, 5, 5, 5, 5]);
    const halves = flat(NO_LOSSES);
    addLosses(halves, QUANTILES, { predictions, from: 4, actual: 12, unit: 2 }, 0.5);
    assert.deepEqual([...halves], [0.5, 0.9, 0.95, 0.99]);
  });
});

describe("mix()", () => {
  it("is the mean of every quantile by its own weights", () => {
    const predictions: readonly Quantiles[] = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ];
    assert.deepEqual(mix(predictions, flat(NO_LOSSES, NO_LOSSES), 4, 20), [2, 3, 4, 5]);
    assert.deepEqual(mix(predictions, flat([1e9, 0, 0, 0], NO_LOSSES), 4, 20), [4, 3, 4, 5]);
  });

  it("leaves out who has nothing to say, as if there were only the others", () => {
    const [known, other]: readonly Quantiles[] = [
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ];
    const losses = [[3, 0, 1, 0], NO_LOSSES, [0, 2, 1, 5]] as const;
    assert.deepEqual(mix([known!, null, null], flat(...losses), 4, 20), known);
    const mixed = mix([known!, null, other!], flat(...losses), 4, 20)!;
    for (const [i, value] of mix([known!, other!], flat(losses[0], losses[2]), 4, 20)!.entries())
      assert.ok(Math.abs(mixed[i]! - value) < 1e-12);
    assert.equal(mix([null, null, null], flat(...losses), 4, 20), null);
  });

  it("is a mixture of those that say something also where one that is silent was far better", () => {
    const far = [1e6, 1e6, 1e6, 1e6];
    const predictions: readonly (Quantiles | null)[] = [[0, 1, 2, 3], [4, 5, 6, 7], null];
    assert.deepEqual(mix(predictions, flat(far, far, NO_LOSSES), 4, 20), [2, 3, 4, 5]);
  });
});

describe("meanPinballLoss()", () => {
  it("charges a shortfall q and an excess 1 − q", () => {
    assert.equal(meanPinballLoss(QUANTILES, [10, 10, 10, 10], 10), 0);
    assert.ok(Math.abs(meanPinballLoss(QUANTILES, [0, 0, 0, 0], 1) - (0.5 + 0.9 + 0.95 + 0.99) / 4) < 1e-12);
    assert.ok(Math.abs(meanPinballLoss(QUANTILES, [1, 1, 1, 1], 0) - (0.5 + 0.1 + 0.05 + 0.01) / 4) < 1e-12);
  });
});

describe("sortRising()", () => {
  it("sorts quantiles that cross", () => {
    assert.deepEqual(sortRising([3, 1, 4, 2]), [1, 2, 3, 4]);
  });
});
