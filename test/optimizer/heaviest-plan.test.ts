import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { heaviestPlan } from "../../optimizer/heaviest-plan.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { testPipeline } from "../scaler/support/test-pipeline.ts";

function problemAt(rateRps: number, more: Partial<Problem> = {}): Problem {
  const nothing = { current: null, corrections: {}, excluded: {}, pins: [], bounds: {} };
  return { pipeline: testPipeline(), rateRps, ...nothing, limits: { cores: null, machineCores: null }, ...more };
}

describe("heaviestPlan()", () => {
  const variantsOf = (problem: Problem) => heaviestPlan(problem).stages.map(({ parts }) => parts[0]?.variant);

  it("has the heaviest variant of every stage, whatever else is pinned, left out or too much", () => {
    assert.deepEqual(variantsOf(problemAt(200)), ["heavy", "heavy"]);
    const pins = [{ stage: "read", variant: "light", batch: null, replicas: 1 }];
    const limits = { cores: 2, machineCores: 2 };
    const bound = problemAt(200, {
      pins,
      excluded: { detect: ["heavy"] },
      limits,
      bounds: { read: { min: 1, max: 1 } },
    });
    assert.deepEqual(heaviestPlan(bound), heaviestPlan(problemAt(200)));
  });

  it("has the fewest replicas that keep the SLO, beyond what the pipeline file allows", () => {
    const low = heaviestPlan(problemAt(1));
    assert.deepEqual([low.feasible, low.cores], [true, 2]);
    const high = heaviestPlan(problemAt(5000));
    assert.equal(high.feasible, true);
    assert.ok(high.stages.every(({ parts }) => (parts[0]?.replicas ?? 0) > 10));
    // Ten replicas a stage do not serve it.
    assert.equal(
      optimize(
        problemAt(5000, {
          pins: ["detect", "read"].map(stage => ({ stage, variant: "heavy", batch: null, replicas: null })),
        }),
      ).feasible,
      false,
    );
  });

  it("is not feasible where no number of replicas keeps the SLO", () => {
    const pipeline = testPipeline();
    const tight = { ...pipeline, slo: { ...pipeline.slo, latencyMs: 30 } };
    assert.equal(heaviestPlan(problemAt(5, { pipeline: tight })).feasible, false);
  });
});
