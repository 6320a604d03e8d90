import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { BEST_SINGLE, cocktailPipeline } from "../../bench/cocktail-models.ts";
import { problemWith } from "../../bench/optimizer-instances.ts";
import { configurationOf } from "../../domain/plan.ts";
import type { PolicyName } from "../../domain/policy-name.ts";
import { evaluate } from "../../optimizer/evaluate.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Combining, Problem } from "../../optimizer/problem.ts";
import { voteAccuracy } from "../../optimizer/vote.ts";
import { bruteForce } from "./brute-force.ts";
import { pipelineOf, problemOf, type StageShape } from "./problems.ts";
import { plainProblem, smallProblem } from "./random-problem.ts";

const combining: fc.Arbitrary<Combining> = fc.oneof(
  fc.constantFrom(0, 0.3, 0.8).map(correlation => ({ kind: "vote" as const, correlation })),
  fc.constant({ kind: "split" as const }),
);

/** A problem whose first stage may be served by several variants together. */
const combined = (problems: fc.Arbitrary<Problem>): fc.Arbitrary<Problem> =>
  fc.tuple(problems, combining, fc.boolean()).map(([problem, own, isRoomy]) => ({
    ...(isRoomy ? roomy(problem) : problem),
    current: null,
    combine: { s0: own },
  }));

/** Where serving together pays: accuracy is worth a lot, there is time, and replicas for it. */
function roomy(problem: Problem): Problem {
  const { minAccuracy: _, maxCores: __, maxCostPerHour: ___, ...objective } = problem.pipeline.objective;
  const weights = { ...objective.weights, accuracy: 10, cost: 0.05 };
  const stages = problem.pipeline.stages.map(stage => ({
    ...stage,
    replicas: { min: 1, max: 9 },
    variants: stage.variants.map(variant => ({ ...variant, accuracy: variant.accuracy ?? 0.6 })),
  }));
  const slo = { ...problem.pipeline.slo, latencyMs: 600 };
  const pipeline = { ...problem.pipeline, objective: { ...objective, weights }, slo, stages };
  return { ...problem, pipeline, rateRps: Math.min(20, problem.rateRps), pins: [], bounds: {} };
}

/** Cocktail's Table 1: accuracy and latency of models, one row at a time, with one replica as one instance. */
const models: StageShape = {
  name: "classify",
  replicas: { min: 1, max: 60 },
  variants: [
    { name: "mobilenet-v1", accuracy: 0.704, latencyMs: { 1: 43.45 } },
    { name: "densenet-121", accuracy: 0.75, latencyMs: { 1: 102.35 } },
    { name: "resnet-50-v2", accuracy: 0.76, latencyMs: { 1: 89.5 } },
    { name: "inception-v3", accuracy: 0.779, latencyMs: { 1: 89 } },
    { name: "xception", accuracy: 0.79, latencyMs: { 1: 119.2 } },
    { name: "nasnet-large", accuracy: 0.82, latencyMs: { 1: 311 } },
  ],
};

function cocktail(correlation: number | null, minAccuracy: number, sloMs: number) {
  const objective = { policy: "cocktail" as const, minAccuracy };
  const combine = correlation === null ? {} : { classify: { kind: "vote" as const, correlation } };
  return optimize(problemOf(pipelineOf({ stages: [models], sloMs, objective }), 5, { combine }));
}

/** With the cores of its Table 1; null: no votes. */
function withVotes(minAccuracy: number, rate: number, correlation: number | null) {
  const combine = correlation === null ? {} : { classify: { kind: "vote" as const, correlation } };
  return optimize({ ...problemWith(cocktailPipeline(minAccuracy), rate), combine });
}

describe("variants that serve a stage together", () => {
  it("are chosen exactly: against brute force", function () {
    this.timeout(300_000);
    let together = 0;
    fc.assert(
      fc.property(fc.oneof(combined(smallProblem), combined(plainProblem)), problem => {
        const plan = optimize(problem);
        const [best] = bruteForce(problem);
        assert.equal(plan.feasible, best !== undefined);
        if (!best) return;
        assert.ok(Math.abs(plan.objective - best.objective) < 1e-9, `${plan.objective} against ${best.objective}`);
        assert.equal(plan.optimal, true);
        const parts = plan.stages[0]?.parts ?? [];
        if (parts.length > 1) together++;
        const shares = parts.reduce((sum, { share }) => sum + share, 0);
        assert.ok(Math.abs(shares - 1) < 1e-12 || parts.every(({ share }) => share === 1));
      }),
      { numRuns: 40 },
    );
    assert.ok(together > 1, `${together}`);
  });

  it("are evaluated as they were planned, with tables, recovery and several stages", function () {
    this.timeout(300_000);
    const together = { vote: 0, split: 0 };
    fc.assert(
      fc.property(fc.oneof(smallProblem, plainProblem), combining, combining, (given, one, other) => {
        const problem = { ...roomy(given), current: null };
        const { stages } = problem.pipeline;
        const combine = Object.fromEntries(stages.map(({ name }, s) => [name, s % 2 === 0 ? one : other]));
        const plan = optimize({ ...problem, combine });
        if (plan.stages.every(({ parts }) => parts.length < 2)) return;
        const kinds = new Set(
          plan.stages.flatMap(({ stage, parts }) => (parts.length < 2 ? [] : (combine[stage]?.kind ?? []))),
        );
        for (const kind of kinds) together[kind]++;
        const again = evaluate({ ...problem, combine }, configurationOf(plan));
        assert.equal(again.feasible, plan.feasible);
        assert.ok(Math.abs(again.accuracy - plan.accuracy) < 1e-9, `${again.accuracy}, ${plan.accuracy}`);
        assert.ok(Math.abs(again.objective - plan.objective) < 1e-6, `${again.objective}, ${plan.objective}`);
        const turned = Object.entries(configurationOf(plan)).map(([name, { parts }]) => {
          return [name, { parts: parts.toReversed() }] as const;
        });
        const swapped = evaluate({ ...problem, combine }, Object.fromEntries(turned));
        assert.ok(Math.abs(swapped.accuracy - plan.accuracy) < 1e-9, "whatever order the parts are in");
      }),
      { numRuns: 600 },
    );
    assert.ok(together.vote > 10 && together.split > 3, JSON.stringify(together));
  });

  it("split rows where neither variant alone is best", () => {
    const stage: StageShape = {
      name: "classify",
      replicas: { min: 1, max: 4 },
      variants: [
        { name: "light", accuracy: 0.7, latencyMs: { 1: 10 } },
        { name: "heavy", accuracy: 0.9, latencyMs: { 1: 100 } },
      ],
    };
    const problem = problemOf(pipelineOf({ stages: [stage], sloMs: 1_000 }), 40);
    const alone = optimize(problem);
    const split = optimize({ ...problem, combine: { classify: { kind: "split" } } });
    assert.equal(alone.stages[0]?.parts[0]?.variant, "light");
    assert.deepEqual(
      split.stages[0]?.parts.map(({ variant, share }) => [variant, share]),
      [
        ["heavy", 0.5],
        ["light", 0.5],
      ],
    );
    assert.ok(Math.abs(split.accuracy - 0.8) < 1e-12);
    assert.ok(split.objective > alone.objective);
    const again = evaluate({ ...problem, combine: { classify: { kind: "split" } } }, configurationOf(split));
    assert.ok(Math.abs(again.objective - split.objective) < 1e-9);
  });

  it("Cocktail: a vote reaches an accuracy above the best single model at a lower latency", () => {
    assert.equal(cocktail(null, 0.83, 700).feasible, false);
    const votes = cocktail(0, 0.83, 150);
    assert.equal(votes.feasible, true);
    assert.ok(votes.latencyMs < 150 && votes.accuracy >= 0.83);
    const parts = votes.stages[0]?.parts ?? [];
    assert.ok(parts.length === 3 || parts.length === 5);
    assert.ok(parts.every(({ share, variant }) => share === 1 && variant !== "nasnet-large"));
    // Where one model is accurate enough it is cheaper than a vote.
    assert.equal(cocktail(0, 0.77, 700).stages[0]?.parts.length, 1);
  });

  it("Cocktail: the accuracy of the best single model at a lower latency and a fraction of its cores", () => {
    for (const rate of [10, 50]) {
      const single = withVotes(BEST_SINGLE, rate, null);
      assert.deepEqual(
        single.stages[0]?.parts.map(({ variant }) => variant),
        ["nasnet-large"],
      );
      const votes = withVotes(BEST_SINGLE, rate, 0);
      assert.equal(votes.feasible && votes.optimal, true);
      assert.ok((votes.stages[0]?.parts.length ?? 0) >= 3);
      assert.ok(votes.accuracy >= BEST_SINGLE, `${votes.accuracy}`);
      assert.ok(votes.latencyMs < single.latencyMs / 3, `${votes.latencyMs} of ${single.latencyMs}`);
      assert.ok(votes.cores < single.cores / 5, `${votes.cores} of ${single.cores}`);
    }
  });

  it("Cocktail: correlated errors make the same accuracy dearer step by step, until the single model is cheaper again", () => {
    const cores = [0, 0.1, 0.2, 0.3, 0.35].map(correlation => withVotes(BEST_SINGLE, 50, correlation).cores);
    for (let i = 1; i < cores.length; i++) assert.ok(cores[i]! > cores[i - 1]!, `${cores}`);
    const single = withVotes(BEST_SINGLE, 50, null);
    for (const correlation of [0.5, 0.9]) {
      const plan = withVotes(BEST_SINGLE, 50, correlation);
      assert.deepEqual(configurationOf(plan), configurationOf(single));
      assert.equal(withVotes(BEST_SINGLE + 0.01, 50, correlation).feasible, false);
    }
    assert.equal(withVotes(BEST_SINGLE + 0.01, 50, 0).feasible, true);
  });

  it("Cocktail: no more voters than needed", () => {
    const three = cocktail(0, 0.84, 700).stages[0]?.parts.length;
    const five = cocktail(0, 0.9, 700).stages[0]?.parts.length;
    assert.deepEqual([three, five], [3, 5]);
  });

  it("Cocktail: with correlated errors the same set is worth less, and the least accuracy is out of reach", () => {
    const set = [0.82, 0.79, 0.779];
    const worth = [0, 0.3, 0.6, 0.9].map(correlation => voteAccuracy(set, correlation));
    for (let i = 1; i < worth.length; i++) assert.ok(worth[i]! < worth[i - 1]!);
    assert.equal(cocktail(0.9, 0.86, 700).feasible, false);
    assert.equal(cocktail(0, 0.86, 700).feasible, true);
  });

  it("Cocktail: plans the votes that the pipeline file allows by itself, at its correlation and with what was measured", () => {
    const objective = { policy: "cocktail" as const, minAccuracy: 0.83 };
    const planned = (votes?: StageShape["votes"], more: Partial<Problem> = {}, policy: PolicyName = "cocktail") =>
      optimize(
        problemOf(
          pipelineOf({
            stages: [{ ...models, ...(votes && { votes }) }],
            sloMs: 150,
            objective: { ...objective, policy },
          }),
          5,
          more,
        ),
      );
    const allowed = { correlation: 0, measured: [] };
    const plan = planned(allowed);
    assert.equal(plan.feasible && plan.optimal, true);
    assert.deepEqual(plan.stages, cocktail(0, 0.83, 150).stages);
    // Not a stage that gives classes; another policy; a caller who can't combine answers; errors that are all in common.
    assert.equal(planned().feasible, false);
    assert.equal(planned(allowed, {}, "infaas").feasible, false);
    assert.equal(planned(allowed, { combine: {} }).feasible, false);
    assert.equal(planned({ correlation: 1, measured: [] }).feasible, false);
    // What was measured wins over what is computed, in any order of the voters.
    const set = ["xception", "mobilenet-v1", "densenet-121"];
    const measured = planned({ correlation: 1, measured: [{ variants: set, accuracy: 0.835 }] });
    assert.equal(measured.feasible, true);
    assert.equal(measured.accuracy, 0.835);
    assert.deepEqual(measured.stages[0]?.parts.map(({ variant }) => variant).sort(), [...set].sort());
    const again = evaluate(
      problemOf(
        pipelineOf({
          stages: [{ ...models, votes: { correlation: 1, measured: [{ variants: set, accuracy: 0.835 }] } }],
          sloMs: 150,
          objective,
        }),
        5,
      ),
      configurationOf(measured),
    );
    assert.ok(again.feasible && again.accuracy === 0.835, JSON.stringify(again));
  });

  it("evaluates a vote as it planned it", () => {
    const objective = { policy: "cocktail" as const, minAccuracy: 0.84 };
    const combine = { classify: { kind: "vote" as const, correlation: 0.1 } };
    const problem = problemOf(pipelineOf({ stages: [models], sloMs: 700, objective }), 5, { combine });
    const plan = optimize(problem);
    assert.ok((plan.stages[0]?.parts.length ?? 0) > 1);
    const again = evaluate(problem, configurationOf(plan));
    assert.equal(again.feasible, true);
    assert.ok(Math.abs(again.objective - plan.objective) < 1e-9);
    assert.equal(again.cores, plan.cores);
  });
});
