import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { searchAll } from "../../../bench/mix/search-all.ts";
import type { Configuration } from "../../../domain/configuration.ts";
import type { Likely } from "../../../domain/load.ts";
import { configurationOf } from "../../../domain/plan.ts";
import { seededRandom } from "../../../load/seeded-random.ts";
import { evaluate } from "../../../optimizer/evaluate.ts";
import { searchMix, valuePlan } from "../../../optimizer/mix/search-mix.ts";
import { optimize } from "../../../optimizer/optimize.ts";
import type { Problem } from "../../../optimizer/problem.ts";
import { type PipelineShape, pipelineOf, problemOf } from "../problems.ts";

/** A chain of two or three stages with two or three variants each, and a load that may be a third to three times its median. */
function createCase(seed: number): { readonly problem: Problem; readonly likely: Likely } {
  const random = seededRandom(seed);
  const stages = Array.from({ length: 2 + Math.floor(2 * random()) }, (_, s): PipelineShape["stages"][number] => ({
    name: `s${s}`,
    replicas: { min: 1, max: 3 + Math.floor(3 * random()) },
    cores: random() < 0.5 ? 1 : 2,
    fanOut: random() < 0.7 ? 1 : 2,
    variants: Array.from({ length: 2 + Math.floor(2 * random()) }, (_, v) => {
      const ms = (4 + 16 * random()) * 2.5 ** v;
      const latencyMs: Readonly<Record<number, number>> = random() < 0.5 ? { 1: ms } : { 1: ms, 4: 3 * ms };
      return { name: `v${v}`, accuracy: 0.6 + 0.12 * v + 0.1 * random(), latencyMs };
    }),
  }));
  const weights = { accuracy: 1, cost: 0.002 + 0.02 * random(), batch: 1e-6, switch: 0.002 };
  const medianRps = 10 ** (0.5 + 1.5 * random());
  const ratesRps = [0.4, 0.5, 0.7, 1, 1.3, 1.7, 2, 3].map(times => times * medianRps);
  const peaksRps = [1.5, 2, 2.5, 3.5].map(times => times * medianRps);
  const pipeline = pipelineOf({ stages, sloMs: 100 + 600 * random(), method: "product", objective: { weights } });
  const part = { variant: "v0", batch: 1, replicas: 1, share: 1 };
  const current = random() < 0.5 ? null : Object.fromEntries(stages.map(({ name }) => [name, { parts: [part] }]));
  return { problem: problemOf(pipeline, 2.5 * medianRps, { current }), likely: { ratesRps, peaksRps } };
}

function listStarts(problem: Problem): readonly Configuration[] {
  return [problem.rateRps, problem.rateRps / 2.5].map(rateRps => configurationOf(optimize({ ...problem, rateRps })));
}

function search({ problem, likely }: ReturnType<typeof createCase>) {
  return searchMix(problem, likely, listStarts(problem));
}

describe("searchMix()", () => {
  it("finds the best of all plans nearly always, and never says that one is better than it is", function () {
    this.timeout(120_000);
    const lost = Array.from({ length: 60 }).flatMap((_, seed) => {
      const given = createCase(seed);
      const best = searchAll(given.problem, given.likely);
      const found = search(given);
      if (!best) return [];
      assert.ok(found, `seed ${seed}: nothing was found`);
      assert.ok(found.value <= best.value + 1e-6 || found.isEnough !== best.isEnough, `seed ${seed}`);
      return found.isEnough === best.isEnough ? best.value - found.value : Number.POSITIVE_INFINITY;
    });
    assert.ok(lost.length >= 50, String(lost.length));
    const exact = lost.filter(value => value < 1e-6).length;
    assert.ok(
      exact >= 0.95 * lost.length,
      `${exact} of ${lost.length}; ${lost.filter(value => value >= 1e-6).join(", ")}`,
    );
    assert.ok(Math.max(...lost) < 0.02, String(Math.max(...lost)));
  });

  it("changes two stages at once that are right together alone, in whatever unit the weights are", () => {
    const variants = [
      { name: "new", accuracy: 0.9, latencyMs: { 1: 20 } },
      { name: "old", accuracy: 0.9, latencyMs: { 1: 20 } },
    ];
    const stages = ["a", "b"].map(name => ({ name, variants }));
    const combinations = [
      { variants: { a: "new", b: "new" }, accuracy: 0.95 },
      { variants: { a: "new", b: "old" }, accuracy: 0.76 },
      { variants: { a: "old", b: "new" }, accuracy: 0.76 },
      { variants: { a: "old", b: "old" }, accuracy: 0.8 },
    ];
    const likely = { ratesRps: Array.from({ length: 8 }, () => 1), peaksRps: Array.from({ length: 4 }, () => 1) };
    const part = { variant: "old", batch: 1, replicas: 1, share: 1 };
    for (const accuracy of [0.01, 1, 100]) {
      const objective = { weights: { accuracy, cost: 0, batch: 0, switch: 0 } };
      const problem = problemOf(pipelineOf({ stages, sloMs: 500, method: "table", combinations, objective }), 1);
      const found = searchMix(problem, likely, [{ a: { parts: [part] }, b: { parts: [part] } }]);
      const planned = found?.plan.stages.map(({ parts }) => parts[0]?.variant);
      assert.deepEqual(planned, ["new", "new"], String(accuracy));
    }
  });

  it("has a plan whose planned variants are in time at the rate that it tells", () => {
    for (let seed = 0; seed < 20; seed++) {
      const given = createCase(seed);
      const found = search(given);
      assert.ok(found || searchAll(given.problem, given.likely) === null, `seed ${seed}: nothing was found`);
      if (!found) continue;
      const { plan } = found;
      const again = evaluate({ ...given.problem, rateRps: plan.rateRps }, configurationOf(plan));
      assert.ok(plan.feasible && again.feasible && plan.rateRps <= given.problem.rateRps + 1e-9);
    }
  });

  it("keeps to limits, bounds, pins and exclusions", () => {
    const { problem, likely } = createCase(1);
    const [first] = problem.pipeline.stages;
    assert.ok(first);
    const free = search({ problem, likely });
    assert.ok(free);
    const limits = { cores: free.plan.cores - 1, machineCores: null };
    const limited = search({ problem: { ...problem, limits }, likely });
    assert.ok(limited && limited.plan.cores <= limits.cores && limited.value < free.value);
    const bounds = { [first.name]: { min: 1, max: 1 } };
    const bound = search({ problem: { ...problem, bounds }, likely });
    assert.equal(bound?.plan.stages[0]?.parts[0]?.replicas, 1);
    for (const { name } of first.variants) {
      const pins: Problem["pins"] = [{ stage: first.name, variant: name, batch: null, replicas: 2 }];
      const pinned = search({ problem: { ...problem, pins }, likely })?.plan.stages[0]?.parts[0];
      if (pinned) assert.deepEqual([pinned.variant, pinned.replicas], [name, 2]);
      else assert.equal(searchAll({ ...problem, pins }, likely), null);
      const excluded = { [first.name]: [name] };
      const others = search({ problem: { ...problem, excluded }, likely });
      assert.ok(others && others.plan.stages[0]?.parts[0]?.variant !== name);
    }
  });

  it("is worth what answers are, less cores, batches and switches", () => {
    const stage = (name: string): PipelineShape["stages"][number] => ({
      name,
      variants: [
        { name: "heavy", accuracy: 0.9, latencyMs: { 1: 100 } },
        { name: "light", accuracy: 0.6, latencyMs: { 1: 25 } },
      ],
    });
    const weights = { accuracy: 2, cost: 0.01, batch: 0.001, switch: 0.003 };
    const pipeline = pipelineOf({ stages: [stage("a")], sloMs: 1000, method: "product", objective: { weights } });
    const part = { variant: "heavy", batch: 1, replicas: 2, share: 1 };
    const current = { a: { parts: [{ ...part, variant: "light" }] } };
    const likely = { ratesRps: Array.from({ length: 8 }, () => 38.8), peaksRps: Array.from({ length: 4 }, () => 38.8) };
    // Two replicas carry 19.4 rps of `heavy` and 77.6 of `light`: a third of 38.8 rps by `heavy`.
    const value = valuePlan(problemOf(pipeline, 38.8, { current }), { a: { parts: [part] } }, likely)?.value ?? 0;
    assert.ok(Math.abs(value - (2 * 0.7 - 0.02 - 0.001 - 0.003)) < 1e-9, String(value));
    const tuned = problemOf(pipeline, 38.8, { current, weights: { ...weights, accuracy: 1 } });
    const less = valuePlan(tuned, { a: { parts: [part] } }, likely)?.value ?? 0;
    assert.ok(Math.abs(less - (0.7 - 0.02 - 0.001 - 0.003)) < 1e-9, String(less));
  });

  it("goes on from a start that is out of bounds or has a variant that may not be used", () => {
    const { problem, likely } = createCase(1);
    const best = search({ problem, likely });
    assert.ok(best);
    const from = (variant: string, replicas: number) =>
      Object.fromEntries(
        problem.pipeline.stages.map(({ name }) => [name, { parts: [{ variant, batch: 1, replicas, share: 1 }] }]),
      );
    for (const start of [from("v1", 1), from("v0", 100), from("gone", 1)])
      assert.ok((searchMix(problem, likely, [start])?.value ?? 0) > best.value - 0.05, JSON.stringify(start));
  });

  it("goes on from a planned variant that takes longer than the SLO", () => {
    const variants = [
      { name: "slow", accuracy: 0.9, latencyMs: { 1: 900 } },
      { name: "quick", accuracy: 0.6, latencyMs: { 1: 20 } },
    ];
    const problem = problemOf(pipelineOf({ stages: [{ name: "a", variants }], sloMs: 500 }), 5);
    const likely = { ratesRps: Array.from({ length: 8 }, () => 5), peaksRps: Array.from({ length: 4 }, () => 5) };
    const start = { a: { parts: [{ variant: "slow", batch: 1, replicas: 1, share: 1 }] } };
    assert.equal(valuePlan(problem, start, likely), null);
    assert.equal(searchMix(problem, likely, [start])?.plan.stages[0]?.parts[0]?.variant, "quick");
  });

  it("changes two stages at once that are each too slow for the SLO", () => {
    const variants = [
      { name: "slow", accuracy: 0.9, latencyMs: { 1: 300 } },
      { name: "quick", accuracy: 0.6, latencyMs: { 1: 20 } },
    ];
    const stages = ["a", "b"].map(name => ({ name, variants }));
    const problem = problemOf(pipelineOf({ stages, sloMs: 250, method: "product" }), 1);
    const likely = { ratesRps: Array.from({ length: 8 }, () => 1), peaksRps: Array.from({ length: 4 }, () => 1) };
    const part = { variant: "slow", batch: 1, replicas: 1, share: 1 };
    const found = searchMix(problem, likely, [{ a: { parts: [part] }, b: { parts: [part] } }]);
    assert.deepEqual(
      found?.plan.stages.map(({ parts }) => parts[0]?.variant),
      ["quick", "quick"],
    );
  });

  it("changes two stages at once where only both together are as accurate as the file asks for, whatever that costs", () => {
    const variants = [
      { name: "heavy", accuracy: 0.95, latencyMs: { 1: 100 } },
      { name: "light", accuracy: 0.7, latencyMs: { 1: 25 } },
    ];
    const stages = ["a", "b"].map(name => ({ name, variants, replicas: { min: 1, max: 4 } }));
    for (const accuracy of [0.1, 0]) {
      const objective = { minAccuracy: 0.88, weights: { accuracy, cost: 0.02, batch: 0, switch: 0 } };
      const problem = problemOf(pipelineOf({ stages, sloMs: 2000, method: "product", objective }), 12);
      const likely = { ratesRps: Array.from({ length: 8 }, () => 12), peaksRps: Array.from({ length: 4 }, () => 12) };
      const part = { variant: "heavy", batch: 1, replicas: 1, share: 1 };
      const found = searchMix(problem, likely, [{ a: { parts: [part] }, b: { parts: [part] } }]);
      assert.ok(found?.isEnough, String(accuracy));
    }
  });

  it("has no plan where no stage may have a replica", () => {
    const { problem, likely } = createCase(1);
    const bounds = Object.fromEntries(problem.pipeline.stages.map(({ name }) => [name, { min: 0, max: 0 }]));
    assert.equal(search({ problem: { ...problem, bounds }, likely }), null);
  });

  it("begins nowhere where a start leaves a stage out", () => {
    const { problem, likely } = createCase(1);
    assert.equal(searchMix(problem, likely, []), null);
    assert.equal(searchMix(problem, likely, [{}]), null);
  });
});
