import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { randomInstance } from "../../bench/optimizer-instances.ts";
import type { Plan } from "../../domain/plan.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { bruteForce } from "./brute-force.ts";
import { pipelineOf, problemOf } from "./problems.ts";
import { busyProblem, plainProblem, smallProblem } from "./random-problem.ts";
import { ENDLESS, looks, NONE } from "./time-limits.ts";

/** Twenty stages whose cores are limited to seven tenths of what their best plan takes. */
function limitedChain(seed: number): Problem {
  const problem = randomInstance({ stages: 20, variants: 10, batches: 7 }, seed);
  const cores = 0.7 * optimize({ ...problem, runnerUp: false }).cores;
  return { ...problem, limits: { ...problem.limits, cores } };
}

/** Eight stages of variants that differ little, latencies being distributions. */
function wideChain(variants: number, sloMs: number, rateRps: number): Problem {
  const stages = Array.from({ length: 8 }, (_, s) => ({
    name: `s${s}`,
    replicas: { min: 1, max: 60 },
    variants: Array.from({ length: variants }, (__, v) => ({
      name: `v${v}`,
      accuracy: 0.9 + ((v * 7 + s) % 9) / 100,
      latencyMs: Object.fromEntries([1, 2, 4, 8].map(b => [b, (6 + ((v * 31 + s) % 11)) * (b + 2)])),
    })),
  }));
  return problemOf(pipelineOf({ stages, sloMs }), rateRps);
}

function assertBounded(plan: Plan, most: number): void {
  assert.ok(plan.objective <= most + 1e-9, `${plan.objective} above ${most}`);
  assert.ok(plan.objective + plan.gap >= most - 1e-9, `${plan.objective} + ${plan.gap} below ${most}`);
  assert.equal(plan.reasons[0], plan.optimal ? "optimal" : "unproven");
}

describe("optimize() with a time limit", () => {
  it("gives a plan and a gap that covers the best one, whenever it ends: chains whose cores are limited", function () {
    this.timeout(300_000);
    let unproven = 0;
    for (const seed of [7, 25, 49]) {
      const problem = limitedChain(seed);
      const whole = optimize(problem, ENDLESS);
      assert.equal(whole.optimal && whole.feasible, true);
      for (const limit of [NONE, looks(3), looks(100)]) {
        const plan = optimize(problem, limit);
        assert.equal(plan.feasible, true);
        assertBounded(plan, whole.objective);
        if (!plan.optimal) unproven++;
      }
    }
    assert.ok(unproven >= 4, `${unproven}`);
  });

  it("gives them where latencies are distributions as well", function () {
    this.timeout(300_000);
    const problem = wideChain(8, 600, 40);
    const whole = optimize(problem, ENDLESS);
    assert.equal(whole.optimal, true);
    const plans = [NONE, looks(5), looks(50)].map(limit => optimize(problem, limit));
    for (const plan of plans) assertBounded(plan, whole.objective);
    assert.equal(plans[0]?.optimal, false);
    assert.ok((plans[0]?.gap ?? 0) > 0);
    for (const [i, plan] of plans.entries())
      assert.ok(plan.objective >= (plans[i - 1]?.objective ?? -Infinity), "more time never gives a worse plan");
  });

  it("ends at the first look at the clock after its end, and not by the work that it would have done without", function () {
    this.timeout(300_000);
    const problem = wideChain(16, 500, 60);
    const byWork = optimize(problem);
    assert.equal(byWork.optimal, false);
    const longer = optimize(problem, ENDLESS);
    assert.equal(longer.optimal, true);
    assertBounded(byWork, longer.objective);
    let asked = 0;
    optimize(problem, { ms: 40, clock: () => asked++ });
    assert.equal(asked, 41, "once at the start, then until 40 ms have passed");
  });

  it("agrees with brute force on small problems, whatever the limit", () => {
    let proven = 0;
    fc.assert(
      fc.property(
        fc.oneof(smallProblem, plainProblem, busyProblem),
        fc.constantFrom(0, 2, 1e9, Number.NaN, -1),
        (problem, ms) => {
          const plan = optimize(problem, looks(ms));
          const [best] = bruteForce(problem);
          if (plan.optimal) {
            proven++;
            assert.equal(plan.feasible, best !== undefined);
          }
          if (plan.feasible) assertBounded(plan, best?.objective ?? Number.NaN);
          else if (!plan.optimal) {
            assert.ok(Number.isFinite(plan.gap) && plan.gap >= 0);
            const most = best?.objective ?? Number.NEGATIVE_INFINITY;
            assert.ok(plan.objective + plan.gap >= most - 1e-9, `${plan.objective} + ${plan.gap} below ${most}`);
          }
        },
      ),
      { numRuns: 120 },
    );
    assert.ok(proven > 60, `${proven}`);
  });

  it("does not take an end for a proof that nothing is feasible", () => {
    const variants = Array.from({ length: 100 }, (_, v) => ({
      name: `v${v}`,
      accuracy: 0.5 + v / 400,
      latencyMs: Object.fromEntries(Array.from({ length: 16 }, (__, b) => [b + 1, (3 + ((v * 31) % 89)) * (b + 3)])),
    }));
    const stages = Array.from({ length: 16 }, (_, s) => ({ name: `s${s}`, replicas: { min: 1, max: 9 }, variants }));
    const plan = optimize(problemOf(pipelineOf({ stages, sloMs: 900 }), 30), NONE);
    assert.equal(plan.optimal, false);
    assert.ok(plan.gap > 0);
    assert.ok(plan.reasons.includes("unproven"), String(plan.reasons));
  });

  it("ends for a clock that gives no numbers", () => {
    const plan = optimize(limitedChain(7), { ms: 1, clock: () => Number.NaN });
    assert.equal(plan.feasible, true);
    assert.equal(plan.optimal, false);
  });
});
