import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type InstanceSize, randomInstance } from "../../bench/optimizer-instances.ts";
import { optimizeFleet } from "../../optimizer/fleet.ts";
import { placePods } from "../../optimizer/node-fit.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { feasibleChoices } from "./brute-force.ts";
import { bestTogether, frontOf } from "./fleet-brute-force.ts";
import { pipelineOf, problemOf, type StageShape } from "./problems.ts";
import { busyProblem, plainProblem, smallProblem } from "./random-problem.ts";

const none = { cores: null, memoryMiB: null, nodes: null };

function feasibleInstances(count: number, size: InstanceSize): Problem[] {
  const problems: Problem[] = [];
  for (let seed = 0; problems.length < count; seed++) {
    const problem = randomInstance(size, seed);
    if (optimize(problem).feasible) problems.push(problem);
  }
  return problems;
}

function leastCores(problems: readonly Problem[]): number {
  const plans = problems.map(problem => optimize({ ...problem, prices: { core: 1e6, memoryMiB: 0 } }));
  return plans.reduce((sum, plan) => sum + plan.cores, 0);
}

describe("optimizeFleet()", () => {
  it("never is better than the best together, and never further below it than it says", () => {
    let limited = 0;
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(smallProblem, plainProblem, busyProblem).filter(problem => optimize(problem).feasible),
          { minLength: 2, maxLength: 3 },
        ),
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        (problems, share) => {
          const fronts = problems.map(problem => frontOf(feasibleChoices(problem)));
          const free = optimizeFleet(problems, none);
          const cores = share * free.cores;
          const best = bestTogether(fronts, cores);
          const fleet = optimizeFleet(problems, { ...none, cores });
          assert.equal(fleet.feasible, best !== null, `${fleet.feasible} ${best}`);
          if (best === null) return;
          if (cores < free.cores) limited++;
          assert.ok(fleet.cores <= cores + 1e-9);
          assert.ok(fleet.objective <= best + 1e-9, `${fleet.objective} above ${best}`);
          assert.ok(fleet.objective + fleet.gap >= best - 1e-9, `${fleet.objective} + ${fleet.gap} below ${best}`);
        },
      ),
      { numRuns: 50 },
    );
    assert.ok(limited > 8, `${limited}`);
  });

  it("bounds what members that can be served could gain beside one that can't be, which takes its least bad plan", () => {
    let limited = 0;
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(smallProblem, plainProblem, busyProblem).filter(problem => optimize(problem).feasible),
          { minLength: 2, maxLength: 2 },
        ),
        plainProblem,
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        (problems, other, share) => {
          const hopeless = { ...other, rateRps: 1e7 };
          if (optimize(hopeless).feasible) return;
          const all = [...problems, hopeless];
          const cores = leastCores([hopeless]) + share * optimizeFleet(problems, none).cores;
          const fleet = optimizeFleet(all, { ...none, cores });
          if (fleet.servedShare < 1) return;
          assert.equal(fleet.feasible, false);
          const plans = fleet.plans.slice(0, 2);
          const left = cores - (fleet.plans[2]?.cores ?? 0);
          const best = bestTogether(
            problems.map(problem => frontOf(feasibleChoices(problem))),
            left,
          );
          if (best === null || plans.some(({ feasible }) => !feasible)) return;
          limited++;
          const objective = plans.reduce((sum, plan) => sum + plan.objective, 0);
          assert.ok(objective <= best + 1e-9);
          assert.ok(objective + fleet.gap >= best - 1e-9, `${objective} + ${fleet.gap} below ${best}`);
          // No worse than what these two are given by themselves, and no bound that is worth nothing.
          const alone = optimizeFleet(problems, { ...none, cores: left });
          assert.ok(fleet.gap <= alone.gap + 1e-3 * Math.abs(objective) + 1e-9, `${fleet.gap} against ${alone.gap}`);
        },
      ),
      { numRuns: 40 },
    );
    assert.ok(limited > 8, `${limited}`);
  });

  it("comes within a thousandth of the best for 100 pipelines that share their cores", function () {
    this.timeout(300_000);
    const problems = feasibleInstances(100, { stages: 3, variants: 5, batches: 4 });
    const free = optimizeFleet(problems, none);
    const least = leastCores(problems);
    for (const share of [0.8, 0.4, 0.1]) {
      const cores = least + share * (free.cores - least);
      const fleet = optimizeFleet(problems, { ...none, cores });
      assert.equal(fleet.feasible, true);
      assert.ok(fleet.cores <= cores);
      assert.ok(fleet.gap <= 1e-3 * Math.abs(fleet.objective), `${fleet.gap} of ${fleet.objective}`);
      assert.ok(fleet.prices.core > 0);
    }
  });

  it("serves the same share of every load where not even the cheapest plans fit", () => {
    const problems = Array.from({ length: 5 }, (_, i) => ({
      ...randomInstance({ stages: 2, variants: 3, batches: 3 }, i),
      rateRps: 100,
    }));
    const cores = 0.5 * leastCores(problems);
    const fleet = optimizeFleet(problems, { ...none, cores });
    assert.equal(fleet.feasible, false);
    assert.ok(fleet.servedShare > 0.2 && fleet.servedShare < 1, `${fleet.servedShare}`);
    assert.ok(fleet.cores <= cores);
    for (const plan of fleet.plans) {
      assert.equal(plan.rateRps, 100);
      assert.ok(Math.abs(plan.shedRps - 100 * (1 - fleet.servedShare)) < 1e-9, `${plan.shedRps}`);
      assert.ok(plan.effectiveAccuracy <= fleet.servedShare * plan.accuracy + 1e-12);
      assert.equal(plan.feasible, false);
      assert.deepEqual(plan.reasons.slice(0, 2), ["infeasible", "capped_cores"]);
      assert.equal(plan.binding, "cores");
    }
    const nothing = optimizeFleet(problems, { ...none, cores: 0 });
    assert.equal(nothing.feasible, false);
    for (const plan of nothing.plans) assert.deepEqual([plan.shedRps, plan.effectiveAccuracy], [100, 0]);
    assert.ok(Number.isFinite(nothing.objective) && Number.isFinite(nothing.gap));
    assert.deepEqual(optimizeFleet([], { ...none, cores: 0 }).plans, []);
  });

  it("keeps to memory, and to what fits on nodes", () => {
    const problems = feasibleInstances(8, { stages: 2, variants: 4, batches: 3 });
    const free = optimizeFleet(problems, none);
    // A replica takes 1,024 MiB: between the fewest replicas and as many as are best.
    const few = problems.map(problem => optimize({ ...problem, prices: { core: 0, memoryMiB: 1e6 } }));
    const fewest = few.flatMap(plan => plan.stages).reduce((sum, { parts }) => sum + (parts[0]?.replicas ?? 0), 0);
    const memoryMiB = (1024 * fewest + free.memoryMiB) / 2;
    const tight = optimizeFleet(problems, { ...none, memoryMiB });
    assert.equal(tight.feasible, true);
    assert.ok(tight.memoryMiB <= memoryMiB);
    const nodes = Array.from({ length: Math.ceil(free.cores / 15) }, () => ({ cores: 16, memoryMiB: 1e6 }));
    const fitted = optimizeFleet(problems, { ...none, nodes });
    assert.equal(fitted.feasible, true);
    const pods = fitted.plans.flatMap(plan =>
      plan.stages.flatMap(({ cores, parts }) =>
        Array.from({ length: parts[0]?.replicas ?? 0 }, () => ({
          cores: cores / (parts[0]?.replicas ?? 1),
          memoryMiB: 1024,
        })),
      ),
    );
    assert.deepEqual(placePods(pods, nodes), []);
  });
});

describe("optimizeFleet() with two limits", () => {
  it("finds what takes more of one and less of the other", () => {
    const stage: StageShape = {
      name: "only",
      replicas: { min: 1, max: 40 },
      variants: [
        { name: "narrow", accuracy: 0.9, latencyMs: { 1: 63.75 }, cores: 0.2 },
        { name: "wide", accuracy: 0.9, latencyMs: { 1: 48.75 }, cores: 1.25 },
      ],
    };
    const pipeline = pipelineOf({ stages: [stage], objective: { podShape: "variant" } });
    const problem = problemOf(pipeline, 100);
    const plan = optimizeFleet([problem], { cores: 10, memoryMiB: 8192, nodes: null });
    assert.equal(plan.feasible, true);
    assert.equal(plan.plans[0]?.stages[0]?.parts[0]?.variant, "wide");
  });
});
