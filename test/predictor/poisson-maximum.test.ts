import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { poissonCount } from "../../load/poisson-count.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { normalQuantile } from "../../predictor/normal-quantile.ts";
import { poissonMaximum } from "../../predictor/poisson-maximum.ts";

/** The smallest k that all of `seconds` counts stay at or below with probability q, by logarithms of every term. */
function exactMaximum(mean: number, seconds: number, q: number): number {
  let logTerm = -mean;
  let cumulated = Math.exp(logTerm);
  let count = 0;
  while (seconds * Math.log(cumulated) < Math.log(q)) {
    count += 1;
    logTerm += Math.log(mean / count);
    cumulated += Math.exp(logTerm);
  }
  return count;
}

describe("poissonMaximum()", () => {
  it("is the worked example of its comment", () => {
    assert.equal(poissonMaximum(1, 20)[2], 5);
  });

  it("is exact at low means and within a count at high ones", () => {
    for (const mean of [0.01, 0.5, 3, 20, 60, 61, 150, 500])
      for (const seconds of [1, 20, 600]) {
        const values = poissonMaximum(mean, seconds);
        for (const [i, q] of [0.5, 0.9, 0.95, 0.99].entries()) {
          const off = Math.abs(values[i]! - exactMaximum(mean, seconds, q));
          assert.ok(mean <= 60 ? off === 0 : off < 1, `${mean} ${seconds} ${q}: ${off}`);
        }
      }
  });

  it("is what is seen in simulated windows", () => {
    const random = seededRandom(7);
    const [, , q95 = 0] = poissonMaximum(8, 20);
    let covered = 0;
    for (let window = 0; window < 2000; window++) {
      let highest = 0;
      for (let second = 0; second < 20; second++) highest = Math.max(highest, poissonCount(random, 8));
      if (highest <= q95) covered += 1;
    }
    assert.ok(covered / 2000 >= 0.94 && covered / 2000 < 0.99, String(covered / 2000));
  });

  it("is 0 without load and ends at any mean and horizon", () => {
    assert.deepEqual(poissonMaximum(0, 600), [0, 0, 0, 0]);
    for (const mean of [1e-9, 60, 1e7])
      for (const seconds of [1, 3600, 1e9]) for (const value of poissonMaximum(mean, seconds)) assert.ok(value >= 0);
  });
});

describe("normalQuantile()", () => {
  it("gives the values of the tables", () => {
    const table = [
      [0.5, 0],
      [0.975, 1.959964],
      [0.05, -1.644854],
      [0.999, 3.090232],
      [1e-6, -4.753424],
    ] as const;
    for (const [p, z] of table) assert.ok(Math.abs(normalQuantile(p) - z) < 2e-6, `${p}: ${normalQuantile(p)}`);
  });

  it("is symmetric and rises, far into the tails", () => {
    let before = Number.NEGATIVE_INFINITY;
    for (const p of [1e-300, 1e-14, 1e-12, 1e-5, 0.01, 0.074, 0.076, 0.4, 0.6, 0.924, 0.926, 0.99, 1 - 1e-12]) {
      assert.ok(normalQuantile(p) > before, String(p));
      before = normalQuantile(p);
      if (p > 1e-5) assert.ok(Math.abs(normalQuantile(1 - p) + before) < 1e-4);
    }
  });
});
