import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Demand } from "../../control/control-state.ts";
import { extremeDemands, findHighest, findRisenRps } from "../../control/demand.ts";
import { UNTUNED } from "../../control/tuning.ts";
import { certain } from "./story.ts";

const rate = fc.integer({ min: 0, max: 20 });

describe("extremeDemands()", () => {
  it("keeps the newest, the highest and the lowest of every window that is still to come", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(rate, fc.option(rate), fc.option(rate)), { minLength: 1, maxLength: 60 }),
        rates => {
          const all = rates.map(([rateRps, rise, nowRps], i): Demand => {
            const told = { atMs: 1000 * i, rateRps, ...(nowRps !== null && { nowRps }) };
            return rise === null ? told : { ...told, risenRps: rateRps + rise };
          });
          let kept: readonly Demand[] = [];
          for (const demand of all) kept = extremeDemands([...kept, demand]);
          assert.deepEqual(kept, extremeDemands(all), "one by one as at once");
          assert.equal(kept.at(-1), all.at(-1));
          for (const { atMs: fromMs } of all) {
            const from = (demands: typeof kept) => demands.filter(({ atMs }) => atMs >= fromMs);
            assert.deepEqual(findHighest(from(kept)), findHighest(from(all)));
            const findLowest = (demands: typeof kept) => Math.min(...from(demands).map(({ rateRps }) => rateRps));
            assert.equal(findLowest(kept), findLowest(all));
          }
        },
      ),
    );
  });

  it("keeps one of a steady load, and few of one that varies", () => {
    const of = (rate: (i: number) => number) =>
      extremeDemands(Array.from({ length: 300 }, (_, i) => ({ atMs: 1000 * i, rateRps: rate(i) }))).length;
    assert.equal(
      of(() => 5),
      1,
    );
    assert.ok(of(i => (i * 7919) % 1009) < 30);
  });
});

describe("findHighest()", () => {
  it("has the highest of each rate, and quantiles below the median of the newest demand", () => {
    const at = (atMs: number, rateRps: number): Demand => ({
      atMs,
      rateRps,
      nowRps: rateRps - 1,
      ratesRps: Array.from({ length: 8 }, (_, i) => rateRps + i),
      peaksRps: Array.from({ length: 4 }, (_, i) => rateRps + 10 * i),
    });
    assert.deepEqual(findHighest([at(1, 20), at(2, 30), at(3, 10)]), {
      rateRps: 30,
      risenRps: 30,
      nowRps: 29,
      ratesRps: [10, 11, 12, 33, 34, 35, 36, 37],
      peaksRps: [30, 40, 50, 60],
    });
  });
});

describe("findRisenRps()", () => {
  it("expects of a load that has outrun its forecast that it rises on as it did, and nothing of any other", () => {
    const find = (forecastRps: number, rise: { readonly riseRps?: number }) =>
      findRisenRps({ ...certain(forecastRps, 0), reactiveRps: 18, ...rise }, UNTUNED);
    assert.equal(find(10, { riseRps: 9 }), 27);
    assert.equal(find(18, { riseRps: 9 }), null);
    assert.equal(find(10, { riseRps: 0 }), null);
    assert.equal(find(10, {}), null);
    assert.equal(find(10, { riseRps: 1e7 }), 1e7);
  });
});
