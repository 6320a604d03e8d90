import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Part } from "../../domain/configuration.ts";
import { configurationOf } from "../../domain/plan.ts";
import { evaluate, isFeasible } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { type PipelineShape, pipelineOf, problemOf } from "./problems.ts";
import { smallProblem } from "./random-problem.ts";

const shape: PipelineShape = {
  stages: [
    {
      name: "classify",
      variants: [
        { name: "light", accuracy: 0.7, latencyMs: { 1: 10 } },
        { name: "heavy", accuracy: 0.9, latencyMs: { 1: 50 } },
        { name: "unmeasured", accuracy: 0.9, latencyMs: null },
      ],
    },
  ],
};

const part: Part = { variant: "light", batch: 1, replicas: 2, share: 1 };

function evaluated(rateRps: number, parts: readonly Part[], more: Parameters<typeof problemOf>[2] = {}) {
  return evaluate(problemOf(pipelineOf(shape), rateRps, more), { classify: { parts } });
}

describe("evaluate()", () => {
  it("predicts a configuration that meets every constraint", () => {
    const plan = evaluated(50, [part]);
    assert.equal(plan.feasible, true);
    assert.deepEqual(plan.reasons, []);
    assert.equal(plan.binding, "none");
    assert.equal(plan.accuracy, 0.7);
    assert.equal(plan.cores, 2);
    assert.ok(plan.latencyMs > 10 && plan.latencyMs < 40);
    assert.ok(plan.gap >= 1 - plan.objective - 1e-12);
  });

  it("does not take a count that the live HPA can't be brought to, unless it is pinned", () => {
    const scaling = { classify: { current: 20, toleranceUp: 0.1, toleranceDown: 0.1, max: 40 } };
    const bounds = { classify: { min: 1, max: 40 } };
    const roomy = { ...shape, stages: shape.stages.map(stage => ({ ...stage, replicas: { min: 1, max: 40 } })) };
    const at = (replicas: number, pinned = false) => {
      const pins = pinned ? [{ stage: "classify", variant: null, batch: null, replicas }] : [];
      const problem = problemOf(pipelineOf(roomy), 50, { scaling, bounds, pins });
      const configuration = { classify: { parts: [{ ...part, replicas }] } };
      assert.equal(isFeasible(problem, configuration), evaluate(problem, configuration).feasible);
      return evaluate(problem, configuration);
    };
    assert.deepEqual(
      [17, 18, 19, 20, 21, 22, 23].map(replicas => at(replicas).feasible),
      [true, false, false, true, false, false, true],
    );
    assert.deepEqual(at(21).reasons, ["infeasible", "hpa_tolerance"]);
    assert.equal(at(21, true).feasible, true);
  });

  it("finds feasible what is planned with live HPAs", () => {
    const hpa = fc.record({
      current: fc.integer({ min: 0, max: 12 }),
      toleranceUp: fc.constantFrom(0, 0.1, 0.5),
      toleranceDown: fc.constantFrom(0, 0.1, 0.5),
      max: fc.constantFrom(3, 50),
    });
    let feasible = 0;
    fc.assert(
      fc.property(smallProblem, fc.array(hpa, { minLength: 3, maxLength: 3 }), (problem, all) => {
        const names = problem.pipeline.stages.map(({ name }) => name);
        const scaling = Object.fromEntries(names.flatMap((name, s) => (all[s] ? [[name, all[s]]] : [])));
        const plan = optimize({ ...problem, scaling });
        if (!plan.feasible) return;
        feasible++;
        assert.equal(isFeasible({ ...problem, scaling }, configurationOf(plan)), true);
      }),
      { numRuns: 200 },
    );
    assert.ok(feasible > 50, `${feasible}`);
  });

  it("says by how much the load is too high, and predicts for what is served", () => {
    const plan = evaluated(300, [part]);
    assert.equal(plan.feasible, false);
    assert.equal(plan.binding, "utilisation");
    assert.ok(Math.abs(plan.shedRps - 150) < 1e-3);
    assert.ok(plan.latencyMs < 100);
  });

  it("names the first constraint that is broken", () => {
    assert.equal(
      evaluated(5, [{ ...part, replicas: 10 }], { limits: { cores: 4, machineCores: null } }).binding,
      "cores",
    );
    const slow = evaluate(problemOf(pipelineOf({ ...shape, sloMs: 30 }), 1), {
      classify: { parts: [{ ...part, variant: "heavy" }] },
    });
    assert.equal(slow.binding, "slo");
    const wrong = evaluate(problemOf(pipelineOf({ ...shape, objective: { minAccuracy: 0.8 } }), 1), {
      classify: { parts: [part] },
    });
    assert.equal(wrong.binding, "minAccuracy");
  });

  it("mixes the parts of a stage that is being switched", () => {
    const parts = [
      { ...part, share: 0.5 },
      { ...part, variant: "heavy", share: 0.5 },
    ];
    const plan = evaluated(20, parts);
    assert.equal(plan.feasible, true);
    assert.ok(Math.abs(plan.accuracy - 0.8) < 1e-12);
    assert.equal(plan.cores, 4);
    const [light, heavy] = [evaluated(10, [part]), evaluated(10, [{ ...part, variant: "heavy" }])];
    assert.ok(plan.latencyMs > light.latencyMs && plan.latencyMs <= heavy.latencyMs + 5);
  });

  it("takes shares as proportions", () => {
    const plan = evaluated(20, [
      { ...part, share: 3 },
      { ...part, variant: "heavy", share: 1 },
    ]);
    assert.ok(Math.abs(plan.accuracy - (0.75 * 0.7 + 0.25 * 0.9)) < 1e-12);
  });

  it("does not allow what is excluded, pinned otherwise or outside the bounds", () => {
    assert.equal(evaluated(5, [part], { excluded: { classify: ["light"] } }).feasible, false);
    const pins = [{ stage: "classify", variant: "heavy", batch: null, replicas: null }];
    assert.equal(evaluated(5, [part], { pins }).feasible, false);
    assert.equal(evaluated(5, [part], { bounds: { classify: { min: 3, max: 5 } } }).feasible, false);
    assert.equal(evaluated(5, [{ ...part, replicas: 0 }]).feasible, false);
  });

  it("predicts nothing in time of a variant that is unknown or was not profiled", () => {
    for (const variant of ["unmeasured", "unheard-of"]) {
      const plan = evaluated(5, [{ ...part, variant }]);
      assert.equal(plan.feasible, false);
      assert.equal(plan.effectiveAccuracy, 0);
      assert.ok(Number.isFinite(plan.latencyMs));
    }
  });

  it("takes a stage that is left out to serve its default variant", () => {
    const plan = evaluate(problemOf(pipelineOf(shape), 5), {});
    assert.deepEqual(plan.stages[0]?.parts, [{ variant: "light", batch: 1, replicas: 1, share: 1 }]);
  });

  it("sheds everything where no replica is there", () => {
    const plan = evaluated(5, [{ ...part, replicas: 0 }]);
    assert.equal(plan.shedRps, 5);
    assert.equal(plan.effectiveAccuracy, 0);
  });
});

describe("isFeasible()", () => {
  it("is what evaluate() says, of the best plan and beside it", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        smallProblem,
        fc.constantFrom(0.5, 0.9, 1, 1.1, 2),
        fc.constantFrom("light", "v0", null),
        (problem, factor, variant) => {
          const best = configurationOf(optimize(problem));
          const changed = Object.fromEntries(
            Object.entries(best).map(([stage, { parts }]) => [
              stage,
              { parts: parts.map(part => ({ ...part, variant: variant ?? part.variant })) },
            ]),
          );
          const other = { ...problem, rateRps: problem.rateRps * factor };
          const plan = evaluate(other, changed);
          assert.equal(isFeasible(other, changed), plan.feasible);
          seen.add(plan.feasible ? "feasible" : plan.binding);
        },
      ),
      { numRuns: 300 },
    );
    for (const kind of ["feasible", "utilisation", "slo", "none"]) assert.ok(seen.has(kind), `${kind} was not met`);
  });
});
