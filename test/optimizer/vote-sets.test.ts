import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { cocktailPipeline } from "../../bench/cocktail-models.ts";
import { problemWith } from "../../bench/optimizer-instances.ts";
import type { PolicyName } from "../../domain/policy-name.ts";
import { latentCorrelation } from "../../optimizer/error-correlation.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { majorityAccuracy, voteAccuracy } from "../../optimizer/vote.ts";
import { areAllSets, voteSets } from "../../optimizer/vote-sets.ts";
import { bruteForce } from "./brute-force.ts";
import { pipelineOf, problemOf, type StageShape } from "./problems.ts";

const hundredths = (min: number, max: number) => fc.integer({ min, max }).map(value => value / 100);

/** A stage of four or five voters with two batch sizes, and one after it, which may depend on who votes. */
const voting: fc.Arbitrary<Problem> = fc
  .record({
    voters: fc.array(fc.tuple(hundredths(45, 95), fc.integer({ min: 4, max: 60 }), hundredths(5, 95)), {
      minLength: 4,
      maxLength: 5,
    }),
    policy: fc.constantFrom("cocktail", "ipa", "infaas"),
    correlation: fc.constantFrom(0, 0.3, 0.7),
    minAccuracy: hundredths(50, 90),
    sloMs: fc.integer({ min: 20, max: 120 }),
    rateRps: fc.integer({ min: 1, max: 120 }),
    min: fc.integer({ min: 1, max: 5 }),
    maxCores: fc.option(fc.integer({ min: 4, max: 24 }), { freq: 1 }),
    machineCores: fc.option(fc.integer({ min: 2, max: 8 }), { freq: 1 }),
    rows: fc.option(fc.tuple(fc.constantFrom(1, 3), fc.constantFrom(1, 2))),
    batchWeight: fc.constantFrom(1e-6, 0.3),
    worth: fc.constantFrom(1, 20, 100),
    isMeasured: fc.boolean(),
  })
  .map(given => {
    const variants = given.voters.map(([accuracy, ms, gain], v) => ({
      name: `v${v}`,
      accuracy,
      latencyMs: { 1: ms, 4: ms * (1 + 3 * gain) },
    }));
    const first: StageShape = {
      name: "s0",
      variants,
      replicas: { min: given.min, max: 24 },
      votes: { correlation: given.correlation, measured: [] },
    };
    const last: StageShape = {
      name: "s1",
      variants: [
        { name: "light", accuracy: 0.9, latencyMs: { 1: 5, 4: 12 } },
        { name: "heavy", accuracy: 0.97, latencyMs: { 1: 12, 4: 40 } },
      ],
      recovery: 0.2,
      ...(given.rows && { fanOut: given.rows[0], fanOutByUpstreamVariant: { v0: given.rows[1] } }),
    };
    const objective = {
      policy: given.policy as "cocktail",
      minAccuracy: given.minAccuracy,
      weights: { accuracy: given.worth, cost: 1, batch: given.batchWeight, switch: 0 },
      ...(given.maxCores === null ? {} : { maxCores: given.maxCores }),
    };
    const combinations = given.isMeasured ? [{ variants: { s0: "v1", s1: "heavy" }, accuracy: 0.93 }] : [];
    const pipeline = pipelineOf({ stages: [first, last], sloMs: given.sloMs, objective, combinations });
    const combine = { s0: { kind: "vote" as const, correlation: given.correlation } };
    return problemOf(pipeline, given.rateRps, { combine, limits: { cores: null, machineCores: given.machineCores } });
  });

function compare(problems: fc.Arbitrary<Problem>, numRuns: number): { voted: number; feasible: number } {
  const seen = { voted: 0, feasible: 0 };
  fc.assert(
    fc.property(problems, problem => {
      const plan = optimize(problem);
      const [best] = bruteForce(problem);
      assert.equal(plan.feasible, best !== undefined);
      if (!best) return;
      seen.feasible++;
      if ((plan.stages[0]?.parts.length ?? 0) > 1) seen.voted++;
      assert.ok(Math.abs(plan.objective - best.objective) < 1e-9, `${plan.objective} against ${best.objective}`);
      assert.equal(plan.optimal, true);
      assert.equal(plan.gap, 0);
    }),
    { numRuns },
  );
  return seen;
}

/** Thirty models; the ten after the ten most accurate ones are the slowest, so that no set has them. */
const many: StageShape = {
  name: "classify",
  replicas: { min: 1, max: 400 },
  variants: Array.from({ length: 30 }, (_, i) => ({
    name: `v${i}`,
    accuracy: 0.9 - i / 100,
    latencyMs: { 1: i < 10 ? 400 : i < 20 ? 21 : 20 },
  })),
};

describe("votes", () => {
  it("are chosen exactly from all sets and batches, whatever comes after: against brute force", function () {
    this.timeout(300_000);
    const { voted, feasible } = compare(voting, 160);
    assert.ok(voted > 10 && feasible > 40, `${voted} of ${feasible}`);
  });

  it("are chosen exactly from 627 sets of Cocktail's models", function () {
    this.timeout(300_000);
    const problem = fc
      .record({
        minAccuracy: fc.integer({ min: 74, max: 90 }).map(percent => percent / 100),
        rate: fc.integer({ min: 1, max: 200 }),
        correlation: fc.constantFrom(0, 0.1, 0.4),
      })
      .map(({ minAccuracy, rate, correlation }) => ({
        ...problemWith(cocktailPipeline(minAccuracy), rate),
        combine: { classify: { kind: "vote" as const, correlation } },
      }));
    const { voted } = compare(problem, 12);
    assert.ok(voted > 4, `${voted}`);
  });

  it("of more variants than can all be looked at come with a gap that covers the others", () => {
    // The least and the most accurate ones are as fast: what is best is in the middle, and not looked at.
    const models = { ...many, votes: { correlation: 0, measured: [] } };
    assert.equal(areAllSets(pipelineOf({ stages: [models] }).stages[0]!.variants), false);
    const objective = { policy: "cocktail" as const, minAccuracy: 0.86 };
    const plan = optimize(problemOf(pipelineOf({ stages: [models], sloMs: 1000, objective }), 100));
    assert.equal(plan.feasible, true);
    assert.equal(plan.optimal, false);
    // Three of the middle: 0.8, 0.79 and 0.78 are right together with 0.88, on 3 · 3 cores.
    const left = voteAccuracy([0.8, 0.79, 0.78], 0);
    assert.ok(left >= 0.86 && plan.cores > 9, `${left} ${plan.cores}`);
    assert.ok(plan.objective + plan.gap >= 1e-6 * left - 9, `${plan.objective} ${plan.gap}`);
    const measured = [{ variants: ["v10", "v11", "v12"], accuracy: 0.88 }];
    const known = { ...many, votes: { correlation: 0, measured } };
    assert.equal(optimize(problemOf(pipelineOf({ stages: [known], sloMs: 1000, objective }), 100)).cores, 9);
    const few = { ...models, variants: models.variants.slice(0, 20) };
    const whole = optimize(problemOf(pipelineOf({ stages: [few], sloMs: 1000, objective }), 100));
    assert.equal(whole.optimal, true);
    assert.equal(whole.cores, 9);
  });
});

describe("evaluate() of a vote", () => {
  const evaluated = (names: readonly string[], votes: StageShape["votes"], policy: PolicyName = "cocktail") => {
    const stages = [votes ? { ...many, votes } : many];
    const problem = problemOf(pipelineOf({ stages, sloMs: 5_000, objective: { policy } }), 20);
    const parts = names.map(variant => ({ variant, batch: 1, replicas: 20, share: 1 }));
    return evaluate(problem, { classify: { parts } });
  };

  it("counts all voters, whatever set they are: not among those that are looked at, of any size, in any order", () => {
    for (const indices of [
      [10, 15, 19],
      [0, 12],
      [3, 11, 14, 25],
      [0, 1, 2, 10, 11, 12, 13],
    ]) {
      const expected = voteAccuracy(
        indices.map(i => 0.9 - i / 100),
        0,
      );
      const names = indices.map(i => `v${i}`);
      for (const order of [names, names.toReversed()]) {
        const plan = evaluated(order, { correlation: 0, measured: [] });
        assert.equal(plan.feasible, true, order.join());
        assert.ok(Math.abs(plan.accuracy - expected) < 1e-12, `${order}: ${plan.accuracy}, not ${expected}`);
      }
    }
  });

  it("counts what was measured of it, and errors in common as those of the sets that are looked at", () => {
    const set = ["v10", "v15", "v19"];
    const measured = [{ variants: set.toReversed(), accuracy: 0.77 }];
    assert.equal(evaluated(set, { correlation: 0.3, measured }).accuracy, 0.77);
    const stage = pipelineOf({ stages: [many] }).stages[0]!;
    const sets = voteSets(stage.variants, 0.3, [], [set, ["v0", "v1", "v2"]]);
    assert.equal(sets.filter(({ voters }) => voters.map(({ name }) => name).join() === "v0,v1,v2").length, 1);
    assert.equal(evaluated(set, { correlation: 0.3, measured: [] }).accuracy, sets.at(-1)?.accuracy);
    assert.ok(voteAccuracy([0.8, 0.75, 0.71], 0) > (sets.at(-1)?.accuracy ?? 1));
  });

  it("is that of one voter where all parts serve the same variant, and none where nobody may vote", () => {
    assert.equal(evaluated(["v12", "v12"], { correlation: 0, measured: [] }).accuracy, 0.9 - 12 / 100);
    const split = evaluated(["v10", "v20"], undefined).accuracy;
    assert.ok(Math.abs(split - 0.75) < 1e-12, `${split}`);
    const given = evaluated(["v10", "v20"], { correlation: 0, measured: [] }, "rim").accuracy;
    assert.ok(Math.abs(given - 0.75) < 1e-12, `${given}`);
  });

  it("is finite for voters that are unknown, doubled or without a profile, and for numbers that are none", () => {
    const [light, heavy] = ["light", "heavy"].map((name, v) => ({
      name,
      accuracy: 0.7 + v / 10,
      latencyMs: { 1: 10 },
    }));
    const variants = [light!, heavy!, { name: "bare", latencyMs: null }, { name: "unsure", latencyMs: { 1: 5 } }];
    const names = ["light", "heavy", "bare", "unsure", "__proto__", "nobody", "light"];
    for (const correlation of [0, 0.5, 1, Number.NaN, -1, Number.POSITIVE_INFINITY])
      for (const policy of ["cocktail", "default"] as const)
        for (let from = 0; from < names.length; from++) {
          const stages = [{ name: "s0", variants, votes: { correlation, measured: [] } }];
          const combine = { s0: { kind: "vote" as const, correlation } };
          const problem = problemOf(pipelineOf({ stages, objective: { policy } }), 20, { combine });
          for (const [batch, replicas] of [
            [1, 3],
            [Number.NaN, Number.POSITIVE_INFINITY],
          ] as const) {
            const parts = [...names.slice(from), ...names.slice(0, from)].map(variant => ({
              variant,
              batch,
              replicas,
              share: 1,
            }));
            for (const count of [2, 3, 5, 7])
              for (const plan of [evaluate(problem, { s0: { parts: parts.slice(0, count) } }), optimize(problem)])
                for (const [key, value] of Object.entries(plan))
                  if (typeof value === "number") assert.ok(Number.isFinite(value), `${key}: ${value}`);
          }
        }
  });

  it("is finite for as many voters as there are", () => {
    const names = many.variants.map(({ name }) => name);
    const { accuracy } = evaluated(names, { correlation: 0.2, measured: [] });
    assert.ok(accuracy > 0.9 && accuracy <= 1, `${accuracy}`);
  });
});

describe("voteSets()", () => {
  it("has every set of three and five, each as right as its vote", () => {
    const variants = cocktailPipeline(0.8).stages[0]!.variants;
    const sets = voteSets(variants, 0.3, []);
    const mean = variants.reduce((sum, variant) => sum + (variant.accuracy ?? 0), 0) / variants.length;
    const latent = latentCorrelation(0.3, mean);
    assert.equal(sets.length, 165 + 462);
    assert.equal(
      new Set(
        sets.map(({ voters }) =>
          voters
            .map(({ name }) => name)
            .sort()
            .join(),
        ),
      ).size,
      sets.length,
    );
    for (const { voters, accuracy } of sets.filter((_, i) => i % 50 === 0)) {
      const own = voters.map(voter => voter.accuracy ?? 0);
      assert.ok(Math.abs(accuracy - voteAccuracy(own, latent)) < 1e-12);
    }
  });

  it("takes the correlation for that of errors: equal voters are about as right together as the beta-binomial says", () => {
    const [first] = cocktailPipeline(0.8).stages[0]!.variants;
    for (const accuracy of [0.7, 0.9])
      for (const correlation of [0, 0.1, 0.3, 0.6, 1]) {
        const variants = ["a", "b", "c", "d", "e"].map(name => ({ ...first!, name, accuracy }));
        for (const set of voteSets(variants, correlation, [])) {
          const expected = majorityAccuracy(set.voters.length, accuracy, correlation);
          assert.ok(Math.abs(set.accuracy - expected) < 0.006, `${correlation}: ${set.accuracy}, ${expected}`);
        }
      }
  });
});
