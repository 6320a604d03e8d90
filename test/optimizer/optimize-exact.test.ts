import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { configurationOf } from "../../domain/plan.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { bruteForce } from "./brute-force.ts";
import { busyProblem, plainProblem, smallProblem } from "./random-problem.ts";

/** Compares on random problems; returns how many of them were feasible. */
function compare(problems: fc.Arbitrary<Problem>, numRuns: number): number {
  let feasible = 0;
  fc.assert(
    fc.property(problems, problem => {
      const plan = optimize(problem);
      const [best, second] = bruteForce(problem);
      assert.equal(plan.feasible, best !== undefined);
      if (!best) return;
      feasible++;
      assert.ok(Math.abs(plan.objective - best.objective) < 1e-9, `${plan.objective} against ${best.objective}`);
      assert.equal(plan.optimal, true);
      assert.equal(plan.gap, 0);
      if (plan.runnerUp) assert.ok(plan.runnerUp.objective <= (second?.objective ?? best.objective) + 1e-9);
    }),
    { numRuns },
  );
  return feasible;
}

describe("optimize() against brute force", () => {
  it("finds the best plan of 1,000 random problems, or that there is none", function () {
    this.timeout(300_000);
    const feasible = compare(smallProblem, 1_000);
    assert.ok(feasible > 250, `only ${feasible} of the problems were feasible`);
  });

  it("finds the best plan of 1,500 random problems of the papers, or that there is none", function () {
    this.timeout(300_000);
    const feasible = compare(plainProblem, 1_500);
    assert.ok(feasible > 400, `only ${feasible} of the problems were feasible`);
  });

  it("finds the best of many options that hardly differ", function () {
    this.timeout(300_000);
    const feasible = compare(busyProblem, 80);
    assert.ok(feasible > 25, `only ${feasible} of the problems were feasible`);
  });

  it("predicts for its own configuration what evaluate() does", () => {
    fc.assert(
      fc.property(smallProblem, problem => {
        const plan = optimize(problem);
        const again = evaluate(problem, configurationOf(plan));
        assert.equal(again.feasible, plan.feasible);
        assert.ok(Math.abs(again.objective - plan.objective) < 1e-6);
        assert.ok(Math.abs(again.shedRps - plan.shedRps) <= 1e-6 * (1 + plan.rateRps));
        assert.ok(Math.abs(again.latencyMs - plan.latencyMs) < 1e-5 * (1 + plan.latencyMs));
        assert.equal(again.cores, plan.cores);
      }),
      { numRuns: 300 },
    );
  });
});
