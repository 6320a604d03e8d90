import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { armsOf } from "../../agent/arms.ts";
import { bootstrapMean } from "../../agent/bootstrap.ts";
import { DEFAULT_LIMITS } from "../../agent/limits.ts";
import { meanOf, type Score, successiveHalving, type Trial } from "../../agent/successive-halving.ts";
import { mostCarriedRps, tuningLoad } from "../../agent/tuning-load.ts";
import { searchTuning } from "../../agent/tuning-search.ts";
import { type Tuning, UNTUNED } from "../../control/tuning.ts";
import { normal, seededRandom } from "../../load/seeded-random.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

/** Arms are worth their number, in noise that all arms have on the same load. */
function noisy(counted: { runs: number }, violations = (_arm: number | null) => 0): Trial<number> {
  return async (arms, loads) =>
    arms.map(arm =>
      loads.map((load): Score => {
        counted.runs += 1;
        return { utility: (arm ?? 0) + 100 * normal(seededRandom(load)), violations: violations(arm) };
      }),
    );
}

const LOADS = [1, 2, 3, 4, 5, 6, 7, 8];

describe("successiveHalving()", () => {
  it("finds the best arm among noise that is common to all, with fewer runs than all on all", async () => {
    const counted = { runs: 0 };
    const arms = Array.from({ length: 24 }, (_, i) => i - 12);
    const { ranked, untouched } = await successiveHalving(arms, LOADS, noisy(counted), 0.05);
    assert.equal(ranked[0]?.arm, 11);
    assert.equal(ranked[0]?.scores.length, untouched.scores.length);
    assert.ok(Math.abs(meanOf(ranked[0]!, "utility") - meanOf(untouched, "utility") - 11) < 1e-9);
    assert.ok(counted.runs < (24 * 8) / 2, `${counted.runs}`);
  });

  it("drops what misses the SLO more often than it may and than the default", async () => {
    const run = async (ofDefault: number) =>
      (
        await successiveHalving(
          [1, 2],
          LOADS,
          noisy({ runs: 0 }, arm => (arm === null ? ofDefault : arm === 2 ? 0.2 : 0)),
          0.05,
        )
      ).ranked[0]?.arm;
    assert.equal(await run(0), 1);
    assert.equal(await run(0.3), 2);
  });
});

describe("searchTuning()", () => {
  const arm = (forecastQuantile: number): Tuning => ({ ...UNTUNED, forecastQuantile });
  const search = (gain: (arm: Tuning, load: number) => number) =>
    searchTuning({
      arms: [arm(0.1), arm(0.2), arm(0.3)],
      training: LOADS,
      unseen: [101, 102, 103, 104],
      trial: async (arms, loads) =>
        arms.map(one =>
          loads.map(load => ({ utility: normal(seededRandom(load)) + (one ? gain(one, load) : 0), violations: 0 })),
        ),
      mostViolations: 0.05,
      random: seededRandom(1),
    });

  it("takes an arm that is better on the training loads, and scores it on others", async () => {
    const found = await search(
      ({ forecastQuantile }, load) =>
        (load > 100 ? -1 : (forecastQuantile ?? 0)) + 0.01 * normal(seededRandom(load + 7)),
    );
    assert.deepEqual([found.best?.forecastQuantile, found.isTaken], [0.3, true]);
    assert.ok(found.trained.low > 0.2);
    assert.ok(found.unseen.high < 0, "what was learnt is worth nothing there, and that is said");
    assert.equal(found.gains.length, 4);
  });

  it("keeps the default where the gain could be chance", async () => {
    const found = await search((one, load) => 0.5 * normal(seededRandom(1000 * (one.forecastQuantile ?? 0) + load)));
    assert.equal(found.isTaken, false);
  });
});

describe("armsOf()", () => {
  it("tries nothing that the limits do not allow, and everything once", () => {
    const weights = { accuracy: 1, cost: 0.005, batch: 1e-6, switch: 0 };
    const arms = armsOf(weights, { weightFactor: 4, leastQuantile: 0.95 }, seededRandom(1));
    assert.equal(new Set(arms.map(arm => JSON.stringify(arm))).size, arms.length);
    for (const { weights: own, forecastQuantile } of arms) {
      assert.ok((forecastQuantile ?? 0) >= 0.95);
      assert.ok(own && own.cost >= 0.005 / 4 && own.cost <= 0.005 * 4 && own.switch === 0);
    }
    assert.ok(armsOf({ ...weights, switch: 0.002 }, DEFAULT_LIMITS, seededRandom(1)).length > arms.length);
  });
});

describe("bootstrapMean()", () => {
  it("has the true mean in nineteen of twenty intervals, and is a point where all values are the same", () => {
    let held = 0;
    for (let seed = 0; seed < 100; seed++) {
      const random = seededRandom(seed);
      const { low, high } = bootstrapMean(
        Array.from({ length: 30 }, () => 5 + normal(random)),
        random,
      );
      held += low <= 5 && high >= 5 ? 1 : 0;
    }
    assert.ok(held >= 86 && held <= 99, `${held} of 100`);
    assert.deepEqual(bootstrapMean([2, 2, 2], seededRandom(1)), { mean: 2, low: 2, high: 2 });
  });
});

describe("loads to tune with", () => {
  it("have the mean that is asked for, and another course for each seed", () => {
    for (const seed of [1, 2, 3]) {
      const { ratesRps } = tuningLoad(seed, 50, 3600);
      const known = ratesRps.filter(rate => !Number.isNaN(rate));
      const mean = known.reduce((sum, rate) => sum + rate, 0) / known.length;
      assert.ok(Math.abs(mean / 50 - 1) < 0.1, `${seed}: ${mean}`);
    }
    assert.notDeepEqual(tuningLoad(1, 50, 100).ratesRps, tuningLoad(2, 50, 100).ratesRps);
  });

  it("stay within what a pipeline can carry: all replicas at the utilisation that they may have", () => {
    const pipeline = pipelineFixture([{ name: "a", ladder: { only: [10, 0.9] }, replicas: { min: 1, max: 4 } }]);
    const most = mostCarriedRps(pipeline);
    assert.ok(most > 240 && most <= 300, `${most}`);
  });
});
