import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { poissonCount } from "../../load/poisson-count.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { LoadHistory } from "../../predictor/load-history.ts";
import { steadyRateRps } from "../../predictor/steady-rate.ts";

function emptyHistory(): LoadHistory {
  const history = new LoadHistory();
  history.startAt(1_000_000);
  return history;
}

/** What is known in every second of a Poisson load. */
function known(seconds: number, rateAt: (second: number) => number, seed: number): (number | null)[] {
  const random = seededRandom(seed);
  const history = emptyHistory();
  return Array.from({ length: seconds }, (_, second) => {
    history.push(poissonCount(random, rateAt(second)));
    return steadyRateRps(history);
  });
}

describe("steadyRateRps()", () => {
  it("is hardly above the rate of a constant load from its first minute on", () => {
    for (const rateRps of [1.2, 4.5, 8, 60])
      for (const seed of [1, 2, 3]) {
        const all = known(1800, () => rateRps, seed);
        assert.ok(all.slice(0, 59).every(rate => rate === null));
        const rates = all.slice(59).filter(rate => rate !== null);
        assert.ok(rates.length >= 0.97 * 1741, `${rateRps} rps, seed ${seed}: known for ${rates.length} s`);
        const above = rates.filter(rate => rate >= rateRps);
        assert.ok(above.length >= 0.85 * rates.length, `${rateRps} rps, seed ${seed}: a bound for ${above.length} s`);
        const settled = all.slice(600).filter(rate => rate !== null && rate <= rateRps + 4 * Math.sqrt(rateRps / 60));
        assert.ok(settled.length >= 0.97 * 1200, `${rateRps} rps, seed ${seed}: close for ${settled.length} s`);
      }
  });

  it("forgets a level that the load leaves within the seconds that it takes to see it", () => {
    for (const [fromRps, toRps, seconds] of [
      [8, 16, 12],
      [8, 30, 5],
      [16, 8, 12],
      [8, 2, 12],
      [60, 40, 20],
    ] as const)
      for (const seed of [1, 2, 3]) {
        const all = known(700, second => (second < 600 ? fromRps : toRps), seed);
        const late = all.slice(600 + seconds, 650).filter(rate => rate !== null);
        assert.equal(late.length, 0, `${fromRps} to ${toRps} rps, seed ${seed}: ${late.length} s late`);
        const last = all.at(-1) ?? Number.NaN;
        assert.ok(last > 0.9 * toRps && last < 1.6 * toRps, `${fromRps} to ${toRps} rps, seed ${seed}: ${last}`);
      }
  });

  it("begins anew after seconds that are missing", () => {
    const history = emptyHistory();
    for (let i = 0; i < 100; i++) history.push(8);
    assert.ok(steadyRateRps(history));
    history.skip(1);
    assert.equal(steadyRateRps(history), null);
    for (let i = 0; i < 60; i++) history.push(8);
    assert.ok(steadyRateRps(history));
  });

  it("takes no load for a steady one of next to nothing", () => {
    const history = emptyHistory();
    for (let i = 0; i < 100; i++) history.push(0);
    assert.equal(steadyRateRps(history), 0.01);
  });
});
