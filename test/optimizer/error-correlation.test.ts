import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { normal, seededRandom } from "../../load/seeded-random.ts";
import { effectiveAccuracy } from "../../optimizer/effective-accuracy.ts";
import {
  commonCauseAccuracy,
  conditionalAccuracy,
  frechetBounds,
  latentCorrelation,
  pairAccuracy,
} from "../../optimizer/error-correlation.ts";
import { normalCdf, normalQuantile } from "../../optimizer/normal-distribution.ts";
import { majorityAccuracy, voteAccuracy } from "../../optimizer/vote.ts";

const near = (value: number, expected: number, room = 1e-9) =>
  assert.ok(Math.abs(value - expected) <= room, `${value} instead of ${expected}`);
const share = fc.double({ min: 0, max: 1, noNaN: true });
const inside = fc.double({ min: 0.02, max: 0.98, noNaN: true });

describe("the normal distribution", () => {
  it("is that of the tables", () => {
    near(normalCdf(0), 0.5);
    near(normalCdf(1.959963984540054), 0.975, 1e-12);
    near(normalCdf(-3), 0.0013498980316300933, 1e-15);
    near(normalQuantile(0.975), 1.959963984540054, 1e-9);
  });

  it("is inverted by its quantiles", () => {
    fc.assert(fc.property(inside, p => near(normalCdf(normalQuantile(p)), p, 1e-12)));
  });
});

describe("accuracy of stages whose errors hang together", () => {
  it("lies inside Fréchet's bounds, at the product without correlation and at the least accurate with all of it", () => {
    fc.assert(
      fc.property(
        fc.array(inside, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (all, rho) => {
          const [least, most] = frechetBounds(all);
          const value = commonCauseAccuracy(all, rho);
          const product = all.reduce((a, b) => a * b, 1);
          assert.ok(value >= least - 1e-9 && value <= most + 1e-9, `${value} outside ${least}…${most}`);
          assert.ok(value >= product - 1e-6);
          near(commonCauseAccuracy(all, 0), product, 1e-12);
          near(commonCauseAccuracy(all, 1), Math.min(...all), 1e-12);
          const nearly = commonCauseAccuracy(all, 0.9999);
          assert.ok(nearly <= most + 1e-5 && nearly >= most - 0.02, `${nearly} against ${most}`);
        },
      ),
      { numRuns: 100 },
    );
    assert.deepEqual(
      frechetBounds([0.9, 0.8]).map(value => value.toFixed(6)),
      ["0.700000", "0.800000"],
    );
    assert.deepEqual(frechetBounds([0.3, 0.4]), [0, 0.3]);
  });

  it("is what drawing common difficulties gives", () => {
    const random = seededRandom(7);
    const accuracies = [0.9, 0.8, 0.85];
    const levels = accuracies.map(normalQuantile);
    let right = 0;
    const draws = 200_000;
    for (let i = 0; i < draws; i++) {
      const z = Math.sqrt(0.4) * normal(random);
      if (levels.every(level => z + Math.sqrt(0.6) * normal(random) < level)) right++;
    }
    near(commonCauseAccuracy(accuracies, 0.4), right / draws, 0.004);
  });

  it("follows the correlation of a pair", () => {
    near(pairAccuracy(0.9, 0.8, 0), 0.72);
    near(pairAccuracy(0.9, 0.8, 0.5), 0.72 + 0.5 * Math.sqrt(0.09 * 0.16));
    near(pairAccuracy(0.9, 0.8, -1), 0.7);
    near(pairAccuracy(0.9, 0.9, 1), 0.9);
  });

  it("has a latent correlation that makes right and wrong correlate as asked: drawn", () => {
    const random = seededRandom(23);
    for (const [accuracy, wanted] of [
      [0.8, 0.5],
      [0.6, 0.2],
      [0.95, 0.4],
    ] as const) {
      const latent = latentCorrelation(wanted, accuracy);
      const level = normalQuantile(accuracy);
      const items = 200_000;
      let both = 0;
      for (let i = 0; i < items; i++) {
        const hardness = Math.sqrt(latent) * normal(random);
        const isRight = () => level > hardness + Math.sqrt(1 - latent) * normal(random);
        if (isRight() && isRight()) both++;
      }
      const correlation = (both / items - accuracy ** 2) / (accuracy * (1 - accuracy));
      near(correlation, wanted, 0.02);
      assert.ok(latent > wanted);
    }
    near(latentCorrelation(0.5, 0.8), 0.75, 0.005);
    assert.deepEqual([latentCorrelation(0, 0.8), latentCorrelation(1, 0.8)], [0, 1]);
  });

  it("is estimated from a sample, with the product rule until there is one", () => {
    near(conditionalAccuracy(0, 0, 0.9), 0.9);
    near(conditionalAccuracy(700, 970, 0.9), (700 + 27) / 1000);
  });
});

describe("votes", () => {
  it("of independent voters are binomial; Cocktail's example gives 0.85", () => {
    near(majorityAccuracy(10, 0.7, 0), 0.8497316674, 1e-9);
    near(majorityAccuracy(3, 0.8, 0), 0.8 ** 3 + 3 * 0.64 * 0.2, 1e-12);
  });

  it("gain less the more their errors hang together, and nothing when they are the same", () => {
    const gains = [0, 0.1, 0.3, 0.6, 0.9, 1].map(rho => majorityAccuracy(9, 0.75, rho));
    for (let i = 1; i < gains.length; i++) assert.ok(gains[i]! <= gains[i - 1]! + 1e-12, `${gains}`);
    near(gains.at(-1) ?? 0, 0.75);
    near(majorityAccuracy(9, 0.75, 1 - 1e-9), 0.75, 1e-4);
  });

  it("are what drawing them gives, beta-binomial and weighted", () => {
    // θ ~ Beta(0.7·M, 0.3·M) at M = 4, whose density grows with θ^1.8 · (1 − θ)^0.2.
    let [sum, whole] = [0, 0];
    for (let i = 0; i < 20_000; i++) {
      const theta = (i + 0.5) / 20_000;
      const density = theta ** 1.8 * (1 - theta) ** 0.2;
      sum += density * majorityAccuracy(5, theta, 0);
      whole += density;
    }
    near(majorityAccuracy(5, 0.7, 0.2), sum / whole, 1e-4);
    const all = [0.9, 0.6, 0.7];
    // ln(0.9/0.1) outweighs both others: the best voter decides.
    near(voteAccuracy(all, 0), 0.9);
    near(voteAccuracy([0.8, 0.8, 0.8], 0), majorityAccuracy(3, 0.8, 0), 1e-12);
    near(voteAccuracy([0.8, 0.8], 0), 0.8, 1e-12);
  });

  it("are never above 1 or not a number, and no worse than the best voter by weights", () => {
    fc.assert(
      fc.property(fc.array(share, { minLength: 1, maxLength: 5 }), share, (all, rho) => {
        const value = voteAccuracy(all, rho);
        assert.ok(value >= 0 && value <= 1 + 1e-9, `${value}`);
        if (rho === 0) assert.ok(value >= Math.max(...all) - 1e-4);
        for (const a of all) {
          const majority = majorityAccuracy(all.length, a, rho);
          assert.ok(majority >= 0 && majority <= 1, `${majority}`);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("effectiveAccuracy()", () => {
  it("counts what is late, dropped or lost as wrong", () => {
    near(effectiveAccuracy(0.9, { inTime: 80, late: 10, dropped: 5, lost: 5 }), 0.72);
    assert.equal(effectiveAccuracy(0.9, { inTime: 0, late: 0, dropped: 0, lost: 0 }), 1);
  });
});
