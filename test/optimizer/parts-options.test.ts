import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { optimize } from "../../optimizer/optimize.ts";
import type { Combining, Problem } from "../../optimizer/problem.ts";
import { bruteForce } from "./brute-force.ts";
import { pipelineOf, problemOf } from "./problems.ts";

/** One stage of three voters and as many batch sizes as there are of `batches`, where serving together pays. */
const together = (batches: readonly number[]): fc.Arbitrary<Problem> =>
  fc
    .record({
      voters: fc.array(
        fc.tuple(
          fc.integer({ min: 60, max: 90 }),
          fc.integer({ min: 5, max: 60 }),
          fc.double({ min: 0.1, max: 0.9, noNaN: true }),
        ),
        { minLength: 3, maxLength: 3 },
      ),
      combining: fc.constantFrom<Combining>({ kind: "vote", correlation: 0 }, { kind: "split" }),
      rows: fc.constantFrom(1, 2.5, 6),
      rateRps: fc.integer({ min: 2, max: 60 }),
      sloMs: fc.integer({ min: 60, max: 400 }),
      worth: fc.constantFrom(1, 5),
      batchWeight: fc.constantFrom(1e-6, 0.01),
      replicas: fc.record({ min: fc.constantFrom(1, 4, 7), max: fc.constantFrom(8, 12) }),
      machineCores: fc.option(fc.integer({ min: 2, max: 8 }), { freq: 2 }),
      current: fc.option(fc.integer({ min: 1, max: 10 }), { freq: 2 }),
    })
    .map(({ voters, combining, rows, rateRps, sloMs, worth, batchWeight, replicas, machineCores, current }) => {
      const variants = voters.map(([percent, ms, gain], v) => ({
        name: `v${v}`,
        accuracy: percent / 100,
        latencyMs: Object.fromEntries(batches.map(batch => [batch, ms * (1 + (batch - 1) * gain)])),
        scv: 0.05,
      }));
      const weights = { accuracy: worth, cost: 0.005, batch: batchWeight, switch: 0 };
      const pipeline = pipelineOf({
        stages: [{ name: "s0", variants, replicas, fanOut: rows }],
        sloMs,
        objective: { weights },
      });
      const scaling =
        current === null
          ? {}
          : { s0: { current, toleranceUp: 0.1, toleranceDown: 0.1, max: Number.POSITIVE_INFINITY } };
      return problemOf(pipeline, rateRps, {
        combine: { s0: combining },
        limits: { cores: null, machineCores },
        scaling,
      });
    });

interface Seen {
  together: number;
  proven: number;
  feasible: number;
}

/** Against every batch and count of each member with every one of the others. */
function compare(problems: fc.Arbitrary<Problem>, numRuns: number): Seen {
  const seen: Seen = { together: 0, proven: 0, feasible: 0 };
  fc.assert(
    fc.property(problems, problem => {
      const plan = optimize(problem);
      const [best] = bruteForce(problem);
      if (plan.optimal) assert.equal(plan.feasible, best !== undefined);
      if (!plan.feasible) return;
      const most = best?.objective ?? Number.NaN;
      seen.feasible++;
      if (plan.optimal) seen.proven++;
      if ((plan.stages[0]?.parts.length ?? 0) > 1) seen.together++;
      assert.ok(plan.objective + plan.gap >= most - 1e-9, `${plan.objective} + ${plan.gap} below ${most}`);
      if (plan.optimal) assert.ok(Math.abs(plan.objective - most) < 1e-9, `${plan.objective}, ${most}`);
    }),
    { numRuns },
  );
  return seen;
}

describe("variants that serve together where latency is a distribution", () => {
  it("are chosen exactly from all batches and counts of each, or the gap covers what was not looked at", function () {
    this.timeout(300_000);
    const seen = compare(together([1, 4]), 150);
    assert.ok(seen.feasible > 60 && seen.together > 20, JSON.stringify(seen));
    assert.ok(seen.proven > 0.7 * seen.feasible, JSON.stringify(seen));
  });

  it("are so as well where there are more choices than are looked at", function () {
    this.timeout(300_000);
    const seen = compare(together([1, 2, 3, 4, 6, 8]), 25);
    assert.ok(seen.feasible > 10 && seen.together > 1, JSON.stringify(seen));
  });
});
