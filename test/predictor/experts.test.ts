import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { RATE_QUANTILES } from "../../domain/load.ts";
import { anscombe, inverseAnscombe } from "../../predictor/anscombe.ts";
import { ALL_EXPERTS, RATE_EXPERTS } from "../../predictor/experts.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { sortRising } from "../../predictor/quantiles.ts";
import { reactiveRateRps } from "../../predictor/reactive-rate.ts";

function historyOf(rates: readonly (number | null)[]): LoadHistory {
  return LoadHistory.from(rates, rates.length);
}

function expertNamed(name: string) {
  return ALL_EXPERTS.find(expert => expert.name === name)!;
}

type Four = readonly [number, number, number, number];

describe("every expert", () => {
  it("of the rate gives rising, finite quantiles", () => {
    const rate = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 1e7, noNaN: true }));
    const past = fc.array(fc.option(rate, { freq: 4 }), { maxLength: 150, size: "max" });
    fc.assert(
      fc.property(past, rate, fc.integer({ min: 1, max: 1800 }), (rates, newest, seconds) => {
        const history = historyOf([...rates, newest]);
        for (const expert of RATE_EXPERTS) {
          const predicted = expert.predict(history, seconds);
          assert.equal(predicted.length, RATE_QUANTILES.length);
          assert.ok(predicted.every(Number.isFinite), `${expert.name} ${predicted}`);
          assert.deepEqual(predicted, sortRising(predicted), expert.name);
        }
      }),
    );
  });

  it("of the peak gives rising, finite quantiles that rise with the horizon", () => {
    const rate = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.double({ min: 0, max: 1e7, noNaN: true }));
    const past = fc.array(fc.option(rate, { freq: 4 }), { maxLength: 150, size: "max" });
    fc.assert(
      fc.property(past, rate, fc.integer({ min: 1, max: 1800 }), (rates, newest, seconds) => {
        const history = historyOf([...rates, newest]);
        for (const expert of ALL_EXPERTS) {
          const near = expert.predict(history, seconds) as Four;
          const far = expert.predict(history, 2 * seconds) as Four;
          for (const i of [0, 1, 2, 3] as const) {
            // Below 0 in the Anscombe domain is 0 rps.
            const least = near[i - 1] ?? Number.NEGATIVE_INFINITY;
            assert.ok(Number.isFinite(near[i]) && near[i] >= least, `${expert.name} ${near}`);
            // The highest of more seconds is known better above its median, so only the median always rises.
            assert.ok(far[0] >= near[0] - 1e-9, `${expert.name} ${near} ${far}`);
          }
        }
      }),
    );
  });
});

describe("the EWMA expert", () => {
  it("weighs the newest second a tenth", () => {
    const level = (rates: readonly number[]) => expertNamed("ewma").predict(historyOf(rates), 1)[0]!;
    const quiet = new Array<number>(120).fill(1000);
    const jumped = inverseAnscombe(level([...quiet, 2000]));
    assert.ok(Math.abs(jumped - 1100) < 2, String(jumped));
  });

  it("is less sure the fewer seconds it knows", () => {
    const spread = (seconds: number) => {
      const predicted = expertNamed("ewma").predict(historyOf(new Array<number>(seconds).fill(20)), 20) as Four;
      return predicted[2] - predicted[0];
    };
    assert.ok(spread(1) > spread(5) && spread(5) > spread(60));
  });

  it("predicts once a second for all that know no more of a young load", () => {
    const young = historyOf([10, 12, 9]);
    const predictions = ["ewma", "halfHourly", "daily"].map(name => expertNamed(name).predict(young, 20));
    assert.equal(new Set(predictions).size, 1);
    young.push(11);
    assert.ok(!predictions.includes(expertNamed("ewma").predict(young, 20)));
  });

  it("predicts anew for another second, horizon or load", () => {
    const [quiet, busy] = [historyOf([10, 10, 10]), historyOf([40, 40, 40])];
    const predict = (history: LoadHistory, seconds: number) => expertNamed("ewma").predict(history, seconds)[0]!;
    const first = predict(quiet, 20);
    assert.ok(predict(busy, 20) > first);
    assert.ok(predict(quiet, 60) > first);
    assert.equal(predict(quiet, 20), first);
    quiet.push(40);
    assert.ok(predict(quiet, 20) > first);
  });

  it("passes over missing seconds", () => {
    const whole = expertNamed("ewma").predict(historyOf([40, 40, 40, 40]), 20);
    const holed = expertNamed("ewma").predict(historyOf([40, null, null, 40]), 20);
    assert.equal(holed[0], whole[0]);
  });
});

describe("a moving maximum", () => {
  it("expects again what its window reached, and forgets what left it", () => {
    const rates = [...new Array<number>(40).fill(10), 100, ...new Array<number>(20).fill(10)];
    const medianRps = (name: string, seconds: number) =>
      inverseAnscombe(expertNamed(name).predict(historyOf(rates), seconds)[0]!);
    assert.ok(medianRps("max20", 20) < 11);
    assert.ok(Math.abs(medianRps("max60", 60) - 100) < 1e-9);
    assert.ok(medianRps("max60", 600) > 100 && medianRps("max60", 10) < 100);
  });
});

describe("reactiveRateRps()", () => {
  it("is the worked example of its comment", () => {
    const steady = new Array<number>(20).fill(20);
    assert.equal(Math.round(reactiveRateRps(historyOf([...steady, 200]))), 173);
    assert.equal(Math.round(reactiveRateRps(historyOf([...steady, 200, 200]))), 180);
  });

  it("is a steady rate itself, and the mean of ten seconds where their differences can be chance", () => {
    assert.equal(reactiveRateRps(historyOf(new Array<number>(11).fill(20))), 20);
    assert.equal(reactiveRateRps(historyOf([99, 20, 21, 22, 20, 22, 16, 24, 18, 20, 27])), 21);
  });

  it("uses what is there of the last ten seconds", () => {
    assert.equal(reactiveRateRps(historyOf([500, ...new Array<null>(9).fill(null), 30])), 30);
    assert.equal(reactiveRateRps(historyOf([0])), 0);
  });
});

describe("anscombe()", () => {
  it("turns back, and gives a Poisson count a deviation of 1", () => {
    for (const rate of [0, 0.3, 7, 1e7])
      assert.ok(Math.abs(inverseAnscombe(anscombe(rate)) - rate) < 1e-6 * (1 + rate));
    assert.ok(Math.abs(anscombe(110) - anscombe(100) - 1) < 0.05, "10 is the deviation of 100");
    assert.equal(inverseAnscombe(-3), 0);
  });
});
