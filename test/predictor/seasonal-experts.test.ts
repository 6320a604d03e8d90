import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { generateLoad, type LoadSpec } from "../../load/generate-load.ts";
import type { LoadComponent } from "../../load/load-component.ts";
import { inverseAnscombe } from "../../predictor/anscombe.ts";
import { autoregressiveExpert } from "../../predictor/autoregressive-expert.ts";
import { ewmaExpert } from "../../predictor/ewma-expert.ts";
import type { Expert } from "../../predictor/expert.ts";
import { holtWintersExpert } from "../../predictor/holt-winters-expert.ts";
import { leastSquares } from "../../predictor/least-squares.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { seasonalExpert } from "../../predictor/seasonal-expert.ts";
import { PEAK } from "../../predictor/target.ts";

const ewma = ewmaExpert(PEAK);

const HALF_HOUR = 1800;
const DAY = 86_400;

function load(baseRps: number, seconds: number, ...components: readonly LoadComponent[]): Float64Array {
  const spec: LoadSpec = { baseRps, components, groupSize: 1 };
  return generateLoad(spec, seconds, 5).ratesRps;
}

function historyOf(rates: Iterable<number>): LoadHistory {
  const history = new LoadHistory();
  history.startAt(1);
  for (const rate of rates) {
    if (Number.isNaN(rate)) history.skip(1);
    else history.push(rate);
  }
  return history;
}

const rpsOf = (expert: Expert, history: LoadHistory, horizonSeconds: number): number[] =>
  expert.predict(history, horizonSeconds).map(inverseAnscombe);

const bursts: LoadComponent = {
  kind: "bursts",
  periodSeconds: HALF_HOUR,
  startSeconds: 300,
  lengthSeconds: 120,
  factor: 4,
  jitterSeconds: 0,
  chance: 1,
};

describe("a seasonal expert", () => {
  const halfHourly = seasonalExpert(PEAK, "halfHourly", HALF_HOUR, 48);

  it("expects at each phase what came there in earlier periods, where a mean sees nothing come", () => {
    const rates = load(30, 6 * HALF_HOUR, bursts);
    const before = historyOf(rates.slice(0, 5 * HALF_HOUR + 280));
    assert.ok(rpsOf(ewma, before, 60)[2]! < 60);
    assert.ok(rpsOf(halfHourly, before, 60)[0]! > 70, String(rpsOf(halfHourly, before, 60)));
    const after = historyOf(rates.slice(0, 5 * HALF_HOUR + 900));
    assert.ok(rpsOf(halfHourly, after, 60)[2]! < 70, String(rpsOf(halfHourly, after, 60)));
  });

  it("scales with the level, so that a busier day has larger bursts", () => {
    const rates = load(30, 5 * HALF_HOUR + 280, bursts).map((rate, i) => (i < 5 * HALF_HOUR ? rate : 4 * rate));
    assert.ok(rpsOf(halfHourly, historyOf(rates), 60)[0]! > 140);
  });

  it("is the EWMA expert until it has seen two periods, and leaves out those that are missing", () => {
    const rates = load(30, 4 * HALF_HOUR, bursts);
    const young = historyOf(rates.slice(0, HALF_HOUR + 500));
    assert.deepEqual(halfHourly.predict(young, 20), ewma.predict(young, 20));
    const holed = rates.slice(0, 3 * HALF_HOUR + 280).fill(Number.NaN, HALF_HOUR, 2 * HALF_HOUR);
    assert.ok(rpsOf(halfHourly, historyOf(holed), 60).every(Number.isFinite));
  });
});

describe("the Holt-Winters expert", () => {
  it("follows a trend and a daily season", () => {
    const rising = historyOf(Array.from({ length: 900 }, (_, i) => 50 + i / 5));
    assert.ok(rpsOf(holtWintersExpert, rising, 60)[0]! > rpsOf(ewma, rising, 60)[0]!);
    const rates = load(40, 3 * DAY, { kind: "season", periodSeconds: DAY, amplitude: 0.9, topSeconds: 12 * 3600 });
    const morning = historyOf(rates.slice(0, 2 * DAY + 6 * 3600));
    assert.ok(rpsOf(holtWintersExpert, morning, 3600)[0]! > rpsOf(ewma, morning, 3600)[0]! + 5);
  });
});

describe("the AR(12) expert", () => {
  it("knows how far a load comes back to its mean, and how far it may stray", () => {
    const rates = load(30, 4 * HALF_HOUR, { kind: "states", factors: [0.3, 3], meanSeconds: 120 });
    const history = historyOf(rates);
    const [median, , q95] = rpsOf(autoregressiveExpert(PEAK), history, 600);
    // In ten minutes both states come: the highest second is that of the high one, whatever is now.
    assert.ok(median! > 100 && q95! < 160, `${median} ${q95}`);
  });

  it("is fitted to what the history holds, so that a restored one predicts the same", () => {
    const rates = load(30, 3 * HALF_HOUR + 77, { kind: "wander", memorySeconds: 300, sigma: 0.3 });
    const history = historyOf(rates);
    const expert = autoregressiveExpert(PEAK);
    const cells = history.cellsAfter(Number.NEGATIVE_INFINITY);
    const restored = LoadHistory.from(history.toRates(), history.second, cells);
    assert.deepEqual(expert.predict(restored, 60), expert.predict(history, 60));
    assert.notDeepEqual(expert.predict(history, 60), ewma.predict(history, 60));
  });

  it("is the EWMA expert until there is enough to fit, and across a gap", () => {
    const young = historyOf(load(30, 900));
    const expert = autoregressiveExpert(PEAK);
    assert.deepEqual(expert.predict(young, 20), ewma.predict(young, 20));
    const rates = load(30, 2 * HALF_HOUR + 200).fill(Number.NaN, 2 * HALF_HOUR + 100, 2 * HALF_HOUR + 120);
    const holed = historyOf(rates);
    assert.deepEqual(expert.predict(holed, 20), ewma.predict(holed, 20));
  });
});

describe("leastSquares()", () => {
  it("finds the coefficients that made the outcomes, and gives finite ones where they are not told apart", () => {
    const rows = [
      [1, 2, 1],
      [2, -1, 1],
      [0, 3, 1],
      [5, 1, 1],
    ];
    const truth = [0.5, -2, 7];
    const fitted = (inputs: readonly (readonly number[])[], ridge: number): number[] => {
      const products = new Float64Array(9);
      const moments = new Float64Array(3);
      for (const x of inputs) {
        const y = x.reduce((sum, value, i) => sum + value * truth[i]!, 0);
        for (let i = 0; i < 3; i++) {
          moments[i]! += x[i]! * y;
          for (let j = 0; j < 3; j++) products[3 * i + j]! += x[i]! * x[j]!;
        }
      }
      return [...leastSquares(products, moments, ridge)];
    };
    for (const [i, coefficient] of fitted(rows, 1e-9).entries()) assert.ok(Math.abs(coefficient - truth[i]!) < 1e-6);
    assert.ok(fitted([[1, 1, 1]], 1e-6).every(Number.isFinite));
  });
});
