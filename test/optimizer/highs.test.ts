import assert from "node:assert/strict";
import type { Highs } from "highs";
import { before, describe, it } from "mocha";
import { type InstanceSize, randomInstance } from "../../bench/optimizer-instances.ts";
import { loadHighs, logProblem, milpOf, productMilpOf, solveMilp } from "../../bench/optimizer-milp.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { follow } from "../../optimizer/label.ts";
import type { LabelProblem } from "../../optimizer/label-problem.ts";
import { labelScopeOf } from "../../optimizer/label-scope.ts";
import { searchLabels } from "../../optimizer/label-search.ts";
import { shapeOf } from "../../optimizer/label-shape.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { scopeOf } from "../../optimizer/scope.ts";

function labelsOf(problem: Problem): LabelProblem {
  return labelScopeOf(scopeOf(problem), "hard").problem;
}

function valueAt(problem: LabelProblem, options: Parameters<typeof follow>[2]): number {
  const value = follow(problem, shapeOf(problem), options)?.bound;
  assert.ok(value !== undefined, "HiGHS's choice breaks a limit");
  return value;
}

const SIZES: readonly InstanceSize[] = [
  { stages: 2, variants: 10, batches: 7 },
  { stages: 4, variants: 8, batches: 5 },
  { stages: 6, variants: 6, batches: 4 },
  { stages: 8, variants: 5, batches: 4 },
];

describe("optimize() against HiGHS", () => {
  let highs: Highs;

  before(async () => {
    highs = await loadHighs();
  });

  it("has its optimum of 200 larger problems with the log of the accuracy, to 1e-9", function () {
    this.timeout(300_000);
    let limited = 0;
    for (let seed = 0; seed < 200; seed++) {
      const problem = randomInstance(SIZES[seed % SIZES.length]!, seed);
      const random = seededRandom(seed);
      const free = labelsOf(problem);
      const isLimited = seed % 3 === 0;
      // A limit on cores that lies between what is needed and what would be best, half a core off any sum.
      const cores = (searchLabels(free).options ?? []).reduce((sum, { price }) => sum + price / 0.5, 0);
      const maxCores = Math.max(free.stages.length, Math.floor(cores * (0.5 + 0.5 * random()))) + 0.5;
      const limits = { cores: isLimited ? maxCores : null, machineCores: null };
      const labels = logProblem(labelsOf({ ...problem, limits }));
      const ours = searchLabels(labels);
      const theirs = solveMilp(highs, labels, milpOf(labels));
      assert.equal(ours.isProven, true);
      assert.equal(ours.options === null, theirs.objective === null, `seed ${seed}`);
      if (theirs.objective === null) continue;
      if (isLimited) limited++;
      const reached = valueAt(labels, theirs.options);
      const near = 1e-9 * (1 + Math.abs(reached));
      assert.ok(Math.abs(ours.objective - reached) <= near, `seed ${seed}: ${ours.objective} against ${reached}`);
    }
    assert.ok(limited > 40, `${limited} with a limit on cores`);
  });

  it("has its optimum where stages form a graph", function () {
    this.timeout(300_000);
    for (let seed = 0; seed < 30; seed++) {
      const labels = logProblem(labelsOf(withDiamond(randomInstance({ stages: 5, variants: 5, batches: 3 }, seed))));
      const ours = searchLabels(labels);
      const theirs = solveMilp(highs, labels, milpOf(labels));
      assert.equal(ours.options === null, theirs.objective === null, `seed ${seed}`);
      if (theirs.objective === null) continue;
      const reached = valueAt(labels, theirs.options);
      assert.ok(Math.abs(ours.objective - reached) <= 1e-9 * (1 + Math.abs(reached)), `seed ${seed}`);
    }
  });

  it("lies between HiGHS's choice and its bound with the product of the accuracies, which is replaced by chords", function () {
    this.timeout(300_000);
    const step = 0.02;
    for (let seed = 0; seed < 25; seed++) {
      const problem = randomInstance({ stages: 4, variants: 5, batches: 4 }, seed);
      const labels = labelsOf(problem);
      const plan = optimize(problem);
      const theirs = solveMilp(highs, labels, productMilpOf(labels, step));
      assert.equal(plan.feasible, theirs.objective !== null);
      if (theirs.objective === null) continue;
      const worth = labels.worth;
      assert.ok(plan.objective >= valueAt(labels, theirs.options) - 1e-9, `seed ${seed}: HiGHS's choice is better`);
      assert.ok(plan.objective <= theirs.objective + 1e-6, `seed ${seed}: above the bound`);
      assert.ok(theirs.objective - plan.objective <= (worth * step * step) / 8 + 1e-6, `seed ${seed}: bound too far`);
    }
  });
});

/** s0 → (s1, s2) → s3, and s4 beside it. */
function withDiamond(problem: Problem): Problem {
  const after = [[], ["s0"], ["s0"], ["s1", "s2"], ["s0"]];
  const stages = problem.pipeline.stages.map((stage, s) => ({
    ...stage,
    dependsOn: after[s] ?? [],
    upstream: after[s]?.[0] ?? null,
  }));
  return { ...problem, pipeline: { ...problem.pipeline, stages } };
}
