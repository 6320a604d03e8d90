import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { replicasOf } from "../../../domain/configuration.ts";
import { findMixedFront } from "../../../optimizer/mix/mixed-front.ts";
import { paretoFront } from "../../../optimizer/pareto.ts";
import { pipelineOf, problemOf, type StageShape } from "../problems.ts";
import { smallProblem } from "../random-problem.ts";

/** Batches of one row: a replica carries 9.7 rows a second by `heavy` and 38.8 by `light` where it is busy for 97 % of the time. */
const STAGE: StageShape = {
  name: "a",
  replicas: { min: 1, max: 20 },
  variants: [
    { name: "heavy", accuracy: 0.9, latencyMs: { 1: 100 } },
    { name: "light", accuracy: 0.6, latencyMs: { 1: 25 } },
  ],
};

describe("findMixedFront()", () => {
  it("gives the replicas of a light plan to the heavy variant, as far as they have time for it", () => {
    const problem = problemOf(pipelineOf({ stages: [STAGE], sloMs: 2000 }), 38.8);
    const { plans } = paretoFront(problem);
    assert.deepEqual(
      plans.map(({ cores }) => cores),
      [2, 6],
    );
    const [mixed, ...others] = findMixedFront(problem, plans);
    assert.equal(others.length, 0);
    assert.equal(mixed?.cores, 2);
    const shares = mixed?.mix.stages[0]?.shares ?? [];
    assert.deepEqual(
      shares.map(({ variant }) => variant),
      ["heavy", "light"],
    );
    // A third by `heavy`: 38.8 · (100 / 3 + 2 · 25 / 3) ms are 1.94 s of two replicas.
    assert.ok(Math.abs((shares[0]?.share ?? 0) - 1 / 3) < 1e-9);
    assert.ok(Math.abs((mixed?.mix.accuracy ?? 0) - 0.7) < 1e-9);
  });

  it("is above the plans it is drawn beside, and rises with cores", () => {
    fc.assert(
      fc.property(smallProblem, problem => {
        const { plans } = paretoFront(problem);
        let most = 0;
        for (const { cores, mix, stages } of findMixedFront(problem, plans)) {
          const asDear = plans.filter(plan => plan.cores <= cores + 1e-9);
          assert.ok(asDear.every(plan => plan.accuracy < mix.accuracy));
          assert.ok(
            asDear.some(plan => plan.stages.every((own, s) => replicasOf(own) === replicasOf(stages[s] ?? own))),
          );
          assert.ok(mix.accuracy > most && mix.served > 0.999);
          most = mix.accuracy;
        }
      }),
    );
  });

  it("has none where replicas serve the planned variants alone", () => {
    const problem = problemOf(pipelineOf({ stages: [STAGE], sloMs: 2000, serving: { rule: "fixed" } }), 38.8);
    assert.deepEqual(findMixedFront(problem, paretoFront(problem).plans), []);
  });
});
