import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { randomInstance } from "../../bench/optimizer-instances.ts";
import { optimizeFleet } from "../../optimizer/fleet.ts";
import type { FleetPlan } from "../../optimizer/fleet-plan.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { feasibleChoices } from "./brute-force.ts";
import { bestTogether, frontOf } from "./fleet-brute-force.ts";
import { pipelineOf, problemOf } from "./problems.ts";
import { busyProblem, plainProblem, smallProblem } from "./random-problem.ts";
import { ENDLESS, looks, NONE } from "./time-limits.ts";

const none = { cores: null, memoryMiB: null, nodes: null };

/** Objective and gap cover `best`, and `optimal` says so where they meet. */
function assertCovers(fleet: FleetPlan, best: number): void {
  assert.ok(Number.isFinite(fleet.gap) && fleet.gap >= 0);
  assert.ok(fleet.objective + fleet.gap >= best - 1e-9, `${fleet.objective} + ${fleet.gap} below ${best}`);
  if (fleet.feasible) assert.ok(fleet.objective <= best + 1e-9, `${fleet.objective} above ${best}`);
  assert.equal(fleet.optimal, fleet.gap === 0);
}

/** A chain whose search takes longer than the least that a limit leaves: of what its best plan takes it may have seven tenths. */
function longChain(seed: number): Problem {
  const problem = randomInstance({ stages: 20, variants: 10, batches: 7 }, seed);
  return withCores(problem, 0.7 * optimize({ ...problem, runnerUp: false }).cores);
}

function withCores(problem: Problem, cores: number): Problem {
  return { ...problem, limits: { ...problem.limits, cores } };
}

describe("optimizeFleet() with a time limit", () => {
  it("gives plans and a gap that covers the best together, whenever it ends", () => {
    const counts = { limited: 0, unproven: 0, proven: 0 };
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(smallProblem, plainProblem, busyProblem).filter(problem => optimize(problem).feasible),
          { minLength: 2, maxLength: 3 },
        ),
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        fc.constantFrom(0, 3, 30, 1e9, Number.NaN, -1),
        (problems, share, ms) => {
          const cores = share * optimizeFleet(problems, none).cores;
          const best = bestTogether(
            problems.map(problem => frontOf(feasibleChoices(problem))),
            cores,
          );
          const fleet = optimizeFleet(problems, { ...none, cores }, looks(ms));
          assert.ok(!fleet.feasible || best !== null);
          if (best === null) return;
          assertCovers(fleet, best);
          assert.ok(!fleet.feasible || fleet.cores <= cores + 1e-9);
          if (share < 1) counts.limited++;
          if (fleet.optimal) counts.proven++;
          else counts.unproven++;
        },
      ),
      { numRuns: 40 },
    );
    const { limited, unproven, proven } = counts;
    assert.ok(limited > 10 && unproven > 5 && proven > 1, JSON.stringify(counts));
  });

  it("covers what the searches of the single pipelines had no time for", function () {
    this.timeout(300_000);
    const problems = [7, 25].map(longChain);
    const best = problems.map(problem => optimize({ ...problem, runnerUp: false }, ENDLESS));
    const all = best.reduce((sum, { cores }) => sum + cores, 0);
    for (const share of [1, 0.9]) {
      // Each by itself, with its part of the cores.
      const known = problems.map((problem, p) =>
        share === 1 ? best[p] : optimize(withCores(problem, share * (best[p]?.cores ?? 0)), ENDLESS),
      );
      assert.ok(known.every(plan => plan?.feasible));
      const most = known.reduce((sum, plan) => sum + (plan?.objective ?? 0), 0);
      for (const limit of [NONE, looks(40)]) {
        const fleet = optimizeFleet(problems, { ...none, cores: share * all }, limit);
        assert.equal(fleet.servedShare, 1);
        assert.ok(fleet.feasible && fleet.cores <= share * all + 1e-9);
        assert.ok(fleet.objective + fleet.gap >= most - 1e-9, `${fleet.objective} + ${fleet.gap} below ${most}`);
        assert.equal(fleet.optimal, false);
      }
    }
  });

  it("takes no search that ended too early for a proof that a pipeline can't be served", () => {
    const variants = Array.from({ length: 100 }, (_, v) => ({
      name: `v${v}`,
      accuracy: 0.5 + v / 400,
      latencyMs: Object.fromEntries(Array.from({ length: 16 }, (__, b) => [b + 1, (3 + ((v * 31) % 89)) * (b + 3)])),
    }));
    const stages = Array.from({ length: 16 }, (_, s) => ({ name: `s${s}`, replicas: { min: 1, max: 9 }, variants }));
    const large = problemOf(pipelineOf({ stages, sloMs: 300 }), 30);
    const small = problemOf(pipelineOf({ stages: [{ name: "only", variants: variants.slice(0, 3) }] }), 5);
    const fleet = optimizeFleet([small, large], none, NONE);
    assert.deepEqual(
      fleet.plans.map(({ feasible }) => feasible),
      [true, false],
      "the large one's search ended too early",
    );
    assert.equal(fleet.optimal, false);
    const [alone, other] = fleet.plans;
    // It could be right on everything, at no cost.
    const most = (alone?.objective ?? 0) + (other?.objective ?? 0) + fleet.gap;
    assert.ok(most >= (alone?.objective ?? 0) + 1 - 1e-9, `${most}`);
  });

  it("serves a share of every load even so, where all of it is too much", () => {
    const problems = Array.from({ length: 5 }, (_, i) => ({
      ...randomInstance({ stages: 2, variants: 3, batches: 3 }, i),
      rateRps: 100,
    }));
    const cheapest = problems.map(problem => optimize({ ...problem, prices: { core: 1e6, memoryMiB: 0 } }));
    const cores = 0.5 * cheapest.reduce((sum, plan) => sum + plan.cores, 0);
    const fleet = optimizeFleet(problems, { ...none, cores }, NONE);
    assert.ok(fleet.servedShare > 0.2 && fleet.servedShare < 1, `${fleet.servedShare}`);
    assert.ok(fleet.cores <= cores && !fleet.feasible && !fleet.optimal);
  });

  it("asks for no more prices once the time is over", () => {
    const problems = Array.from({ length: 12 }, (_, i) => randomInstance({ stages: 3, variants: 5, batches: 4 }, i));
    const served = problems.filter(problem => optimize(problem).feasible);
    const cores = 0.6 * optimizeFleet(served, none).cores;
    const looksUntil = (ms: number): number => {
      let asked = 0;
      optimizeFleet(served, { ...none, cores }, { ms, clock: () => asked++ });
      return asked;
    };
    assert.ok(looksUntil(0) < looksUntil(1e9) / 2, `${looksUntil(0)} against ${looksUntil(1e9)}`);
  });
});
