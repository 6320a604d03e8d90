import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Configuration, Part } from "../../domain/configuration.ts";
import type { Stage } from "../../domain/pipeline.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { pipelineOf, problemOf } from "./problems.ts";
import { plainProblem, smallProblem } from "./random-problem.ts";

const MOST_CONFIGURATIONS = 4_000;

/** Every variant, batch and count that the file has, whatever the search looks at. */
function everyPart(problem: Problem, stage: Stage): Part[] {
  const most = Math.min(stage.replicas.max, problem.bounds[stage.name]?.max ?? Number.POSITIVE_INFINITY);
  const pinned = problem.pins.find(pin => pin.stage === stage.name && pin.batch !== null)?.batch ?? null;
  return stage.variants.flatMap(({ name, profile }) => {
    const batches = pinned === null ? (profile?.points.map(({ batch }) => batch) ?? []) : [pinned];
    return batches.flatMap(batch =>
      Array.from({ length: most + 1 }, (_, replicas) => ({ variant: name, batch, replicas, share: 1 })),
    );
  });
}

/** The best objective of all configurations that evaluate() finds feasible; null: none is. */
function bestOfAll(problem: Problem): number | null {
  let best: number | null = null;
  const visit = (s: number, configuration: Configuration): void => {
    const stage = problem.pipeline.stages[s];
    if (stage) {
      for (const part of everyPart(problem, stage)) visit(s + 1, { ...configuration, [stage.name]: { parts: [part] } });
      return;
    }
    const { feasible, objective } = evaluate(problem, configuration);
    if (feasible && (best === null || objective > best)) best = objective;
  };
  visit(0, {});
  return best;
}

/** Policies that choose everything, and HPAs that any count can be brought to. */
const free = (problems: fc.Arbitrary<Problem>): fc.Arbitrary<Problem> =>
  problems
    .map(problem => ({ ...problem, scaling: {} }))
    .filter(problem => {
      const size = problem.pipeline.stages.reduce((all, stage) => all * everyPart(problem, stage).length, 1);
      return ["default", "ipa", "infaas"].includes(problem.pipeline.objective.policy) && size <= MOST_CONFIGURATIONS;
    });

describe("optimize() against evaluate() of every configuration, all counts included", () => {
  it("finds a feasible plan where there is one, and hardly ever leaves a count that gains anything", function () {
    this.timeout(300_000);
    let [feasible, better] = [0, 0];
    fc.assert(
      fc.property(free(smallProblem), problem => {
        const plan = optimize(problem);
        const best = bestOfAll(problem);
        assert.equal(plan.feasible, best !== null);
        if (best === null) return;
        feasible++;
        const gain = best - plan.objective;
        assert.ok(gain > -1e-6, `the plan's ${plan.objective} is not reached: ${best}`);
        if (gain > 1e-6) better++;
        assert.ok(
          gain <= 1e-6 + 0.01 * problem.pipeline.objective.weights.accuracy,
          `${best} is better than ${plan.objective}`,
        );
      }),
      { numRuns: 300 },
    );
    assert.ok(feasible > 60, `${feasible}`);
    assert.ok(better <= 0.03 * feasible, `${better} of ${feasible}`);
  });

  it("leaves none with plain latencies, where more replicas gain nothing", function () {
    this.timeout(300_000);
    fc.assert(
      fc.property(free(plainProblem), problem => {
        const plan = optimize(problem);
        const best = bestOfAll(problem);
        assert.equal(plan.feasible, best !== null);
        if (best !== null) assert.ok(Math.abs(best - plan.objective) < 1e-6, `${best} against ${plan.objective}`);
      }),
      { numRuns: 300 },
    );
  });

  it("adds replicas until few enough requests wait, however many that takes", () => {
    const stage = {
      name: "s0",
      replicas: { min: 1, max: 200 },
      variants: [{ name: "v0", accuracy: 0.9, latencyMs: { 1: 100 }, scv: 1e-4 }],
    };
    for (const rate of [5, 20, 100])
      for (const sloMs of [110, 150, 200]) {
        const objective = { balancing: "random" as const };
        const problem = problemOf(pipelineOf({ stages: [stage], sloMs, objective }), rate);
        const plan = optimize(problem);
        assert.equal(plan.feasible, true, `${rate} rps within ${sloMs} ms`);
        const replicas = plan.stages[0]?.parts[0]?.replicas ?? 0;
        const fewer = Math.floor(0.85 * replicas) - 2;
        const configuration = { s0: { parts: [{ variant: "v0", batch: 1, replicas: fewer, share: 1 }] } };
        assert.equal(evaluate(problem, configuration).feasible, false, `${fewer} of ${replicas} would do`);
      }
  });
});
