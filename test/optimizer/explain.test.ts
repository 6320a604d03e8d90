import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { configurationOf } from "../../domain/plan.ts";
import { POLICY_NAMES, type PolicyName } from "../../domain/policy-name.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { explain } from "../../optimizer/explain.ts";
import { expectRate } from "../../optimizer/mix/expected-value.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { paretoFront } from "../../optimizer/pareto.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { bruteForceFront } from "./brute-force.ts";
import { pipelineOf, problemOf, type StageShape } from "./problems.ts";
import { plainProblem, smallProblem } from "./random-problem.ts";

/** One replica serves 75 rows per second with `light`, 37.5 with `middle`, 15 with `heavy`. */
const stage: StageShape = {
  name: "classify",
  replicas: { min: 1, max: 20 },
  variants: [
    { name: "light", accuracy: 0.7, latencyMs: { 1: 10 } },
    { name: "middle", accuracy: 0.8, latencyMs: { 1: 20 } },
    { name: "heavy", accuracy: 0.85, latencyMs: { 1: 50 } },
  ],
};

/** The same problem where each variant brings its own cores. */
function withOwnCores(problem: Problem): Problem {
  const { pipeline } = problem;
  const stages = pipeline.stages.map(own => ({
    ...own,
    variants: own.variants.map((variant, v) => ({
      ...variant,
      profile: variant.profile && { ...variant.profile, cores: 1 + ((v * 2) % 3) },
    })),
  }));
  return { ...problem, pipeline: { ...pipeline, stages, objective: { ...pipeline.objective, podShape: "variant" } } };
}

const weights = { accuracy: 1, cost: 0.01, batch: 1e-6, switch: 0 };

describe("explain()", () => {
  it("says what a point of accuracy, time, load and cores cost", () => {
    const problem = problemOf(pipelineOf({ stages: [stage], objective: { weights } }), 140);
    const plan = optimize(problem);
    assert.equal(plan.stages[0]?.parts[0]?.variant, "middle");
    const { prices } = explain(problem, plan);
    const of = (name: string) => prices.find(price => price.of === name);
    assert.equal(of("accuracy")?.feasible, true);
    assert.equal(of("accuracy")?.cores, 10 - plan.cores);
    assert.ok(Math.abs((of("accuracy")?.accuracy ?? 0) - 0.05) < 1e-12);
    assert.equal(of("load")?.cores, 1);
    assert.equal(of("cores")?.step, -1);
    assert.ok((of("cores")?.accuracy ?? 0) < 0);
    assert.equal(of("slo")?.cores, 0);
  });

  it("says what a replica more is worth, where there may be one more", () => {
    const at = (more: Partial<Problem>) => {
      const problem = problemOf(pipelineOf({ stages: [stage], objective: { weights } }), 140, more);
      // Replicas of `heavy` that carry less than half of the load: the rest is served lighter.
      const plan = evaluate(problem, { classify: { parts: [{ variant: "heavy", batch: 1, replicas: 4, share: 1 }] } });
      return explain(problem, plan, null, expectRate(140)).prices.find(({ of }) => of === "replica");
    };
    const price = at({});
    assert.deepEqual([price?.stage, price?.step, price?.replicas], ["classify", 1, 1]);
    assert.ok((price?.accuracy ?? 0) > 0);
    assert.equal(at({ bounds: { classify: { min: 1, max: 4 } } }), undefined);
    assert.equal(at({ pins: [{ stage: "classify", variant: null, batch: null, replicas: 4 }] }), undefined);
    assert.equal(at({ limits: { cores: null, machineCores: 64 } }), undefined);
  });

  it("says that more accuracy is not to be had, also where the policy's variant is given and its SLO is soft", () => {
    for (const policy of ["default", "reactive", "modelSwitching", "fa2High"] as const) {
      const problem = problemOf(pipelineOf({ stages: [stage], objective: { policy } }), 5);
      const price = explain(problem, optimize(problem)).prices.find(({ of }) => of === "accuracy");
      assert.equal(price?.feasible, false, policy);
    }
  });

  it("says what changes against what is served, and why it can't stay", () => {
    const current = { classify: { parts: [{ variant: "heavy", batch: 1, replicas: 2, share: 1 }] } };
    const problem = problemOf(pipelineOf({ stages: [stage], objective: { weights } }), 140, { current });
    const { changes, current: kept } = explain(problem, optimize(problem));
    assert.deepEqual(changes[0]?.from, current.classify.parts);
    assert.equal(changes[0]?.to[0]?.variant, "middle");
    assert.equal(kept?.feasible, false);
    assert.equal(kept?.binding, "utilisation");
    const same = configurationOf(optimize(problem));
    assert.deepEqual(explain({ ...problem, current: same }, optimize({ ...problem, current: same })).changes, []);
  });

  it("says what load and cores cost the best plan, whatever replicas a plan has beyond it", () => {
    let raised = 0;
    fc.assert(
      fc.property(fc.oneof(smallProblem, plainProblem), given => {
        const problem = { ...given, rateRps: given.rateRps / 4 };
        const best = optimize(problem);
        const more = Object.fromEntries(
          best.stages.map(({ stage, parts }, s) => [
            stage,
            { parts: parts.map(part => ({ ...part, replicas: part.replicas + (s === 0 ? 1 : 0) })) },
          ]),
        );
        const plan = { ...evaluate(problem, more), optimal: false };
        if (!best.optimal || !plan.feasible) return;
        raised += 1;
        const pricesOf = (of: typeof plan) =>
          explain(problem, of).prices.filter(price => price.of === "load" || price.of === "cores");
        assert.deepEqual(pricesOf(plan), pricesOf(best));
      }),
      { numRuns: 150 },
    );
    assert.ok(raised > 5, `${raised}`);
  });

  it("has a finite answer for whatever problem", () => {
    fc.assert(
      fc.property(fc.oneof(smallProblem, plainProblem), problem => {
        for (const price of explain(problem, optimize(problem)).prices)
          for (const value of [price.step, price.cores, price.replicas, price.accuracy, price.latencyMs])
            assert.ok(Number.isFinite(value), JSON.stringify(price));
      }),
      { numRuns: 150 },
    );
  });
});

describe("paretoFront()", () => {
  it("has every plan that no other beats in cores and accuracy", () => {
    let plans = 0;
    fc.assert(
      fc.property(fc.oneof(smallProblem, plainProblem.map(withOwnCores)), given => {
        const { minAccuracy: _, ...objective } = given.pipeline.objective;
        const problem = { ...given, pipeline: { ...given.pipeline, objective } };
        const front = paretoFront(problem);
        const expected = bruteForceFront(problem);
        plans += expected.length;
        assert.equal(front.isWhole, true);
        assert.deepEqual(
          front.plans.map(({ cores, accuracy }) => [cores.toFixed(6), accuracy.toFixed(6)]),
          expected.map(({ cores, accuracy }) => [cores.toFixed(6), accuracy.toFixed(6)]),
        );
      }),
      { numRuns: 300 },
    );
    assert.ok(plans > 120, `${plans}`);
  });

  it("has the cheaper plans of a policy that would not choose them, and says where it has not all", () => {
    const variants = stage.variants.map((variant, v) => ({ ...variant, cores: v + 1 }));
    const stages = [{ ...stage, variants, replicas: { min: 1, max: 3 } }];
    const front = (policy: PolicyName) =>
      paretoFront(problemOf(pipelineOf({ stages, objective: { policy, podShape: "variant" } }), 5));
    const { plans, isWhole } = front("rim");
    assert.deepEqual(
      plans.map(({ cores, accuracy }) => [cores, accuracy]),
      [
        [3, 0.7],
        [6, 0.8],
        [9, 0.85],
      ],
    );
    assert.equal(isWhole, true);
    assert.equal(front("modelSwitching").isWhole, false);
  });

  it("ends for every policy, those included whose SLO is soft", () => {
    for (const policy of POLICY_NAMES) {
      const problem = problemOf(pipelineOf({ stages: [stage], objective: { policy } }), 30);
      const { plans } = paretoFront(problem);
      assert.ok(plans.length >= 1 && plans.length <= 3, `${policy}: ${plans.length} plans`);
    }
  });
});
