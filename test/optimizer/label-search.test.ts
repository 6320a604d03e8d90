import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { randomInstance } from "../../bench/optimizer-instances.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { beatenOf } from "../../optimizer/dominance.ts";
import { startEffort } from "../../optimizer/effort.ts";
import type { LabelProblem } from "../../optimizer/label-problem.ts";
import { labelScopeOf } from "../../optimizer/label-scope.ts";
import { searchLabels } from "../../optimizer/label-search.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { scopeOf } from "../../optimizer/scope.ts";

/** Random vectors with many equal entries, in lexicographic order. */
function randomVectors(length: number, count: number, values: number, seed: number): number[][] {
  const random = seededRandom(seed);
  const draw = () => Math.floor(values * random());
  const all = Array.from({ length: count }, () => Array.from({ length }, draw));
  return all.sort((a, b) => a.reduce((order, value, e) => order || value - b[e]!, 0));
}

/** Every vector against every kept one before it. */
function quadratic(all: readonly (readonly number[])[]): number[] {
  const kept: number[] = [];
  for (const [i, vector] of all.entries())
    if (!kept.some(k => all[k]!.every((value, e) => value <= vector[e]!))) kept.push(i);
  return kept;
}

/** A chain whose cores are limited to a share of what its best plan takes. */
function limited(stages: number, seed: number, share: number): LabelProblem {
  const problem = randomInstance({ stages, variants: 10, batches: 7 }, seed);
  const cores = share * optimize({ ...problem, runnerUp: false }).cores;
  return labelScopeOf(scopeOf({ ...problem, limits: { ...problem.limits, cores } }), "hard").problem;
}

describe("beatenOf()", () => {
  it("keeps what comparing every vector with every other keeps", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 0, max: 400 }),
        fc.constantFrom(2, 5, 30, 1e6),
        fc.nat(),
        (length, count, values, seed) => {
          const all = randomVectors(length, count, values, seed);
          const beaten = beatenOf({ values: Float64Array.from(all.flat()), length });
          assert.deepEqual(
            [...all.keys()].filter(i => beaten[i] === 0),
            quadratic(all),
          );
        },
      ),
      { numRuns: 600 },
    );
  });
});

describe("searchLabels() with a budget", () => {
  it("keeps to it but for a first narrow look, on chains of twenty stages whose cores are limited", function () {
    this.timeout(300_000);
    const budget = 50_000;
    let spent = 0;
    for (const seed of [0, 3, 7, 8, 22, 25, 44]) {
      const problem = limited(20, seed, 0.7);
      const found = searchLabels(problem, startEffort(budget));
      const least = searchLabels(problem, startEffort(0)).effort;
      assert.ok(found.effort <= budget + least + 10_000, `${seed}: ${found.effort}, ${least}`);
      assert.ok(least < 60_000, `${seed}: ${least}`);
      if (!found.isProven) spent++;
    }
    assert.ok(spent >= 4, `${spent}`);
  });

  it("gives a bound that the best choice is within, whenever it ends", function () {
    this.timeout(300_000);
    let unproven = 0;
    for (const seed of [0, 1, 7, 22, 49]) {
      const problem = limited(20, seed, 0.7);
      const whole = searchLabels(problem, startEffort(1e7));
      assert.equal(whole.isProven, true, `${seed}`);
      for (const budget of [0, 3_000, 30_000, 100_000]) {
        const found = searchLabels(problem, startEffort(budget));
        assert.ok(found.objective <= whole.objective + 1e-9);
        assert.ok(found.upperBound >= whole.objective - 1e-9, `${seed}: ${found.upperBound} ${whole.objective}`);
        if (found.isProven) assert.ok(Math.abs(found.objective - whole.objective) < 1e-9);
        else unproven++;
      }
    }
    assert.ok(unproven >= 8, `${unproven}`);
  });
});
