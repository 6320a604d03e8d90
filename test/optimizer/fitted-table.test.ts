import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { logOdds } from "../../domain/log-odds.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { accuracyOf } from "../../optimizer/accuracy.ts";
import { fittedCombinations } from "../../optimizer/fitted-table.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { bruteForce } from "./brute-force.ts";
import { smallProblem } from "./random-problem.ts";

const FIRST = { a: 0.6, b: 0.8, c: 0.9 };
const SECOND = { x: 0.7, y: 0.85, z: 0.95 };
const NAMES = Object.keys(FIRST).flatMap(first => Object.keys(SECOND).map(second => [first, second] as const));
const product = (first: string, second: string) =>
  FIRST[first as keyof typeof FIRST] * SECOND[second as keyof typeof SECOND];

/** `measured` says how right a combination is; null: it was not measured. */
function pipelineWith(measured: (first: string, second: string) => number | null): Pipeline {
  const ladder = (of: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(of).map(([name, accuracy], i) => [name, [10 * (i + 1), accuracy] as const]));
  const plain = pipelineFixture([
    { name: "first", ladder: ladder(FIRST) },
    { name: "second", ladder: ladder(SECOND) },
  ]);
  const combinations = NAMES.flatMap(([first, second]) => {
    const accuracy = measured(first, second);
    return accuracy === null ? [] : [{ variants: { first, second }, accuracy }];
  });
  return { ...plain, accuracy: { ...plain.accuracy, combinations } };
}

/** The same, of so many items. */
function measuredWith(pipeline: Pipeline, items: number): Pipeline {
  const combinations = pipeline.accuracy.combinations.map(combination => ({ ...combination, items }));
  return { ...pipeline, accuracy: { ...pipeline.accuracy, combinations } };
}

const accuracy = (pipeline: Pipeline, first: string, second: string) => accuracyOf(pipeline).of([first, second]);

describe("fittedCombinations()", () => {
  it("carries what variants do to the product over to what was not measured", () => {
    // Common causes with `a`, errors passed on by `c`.
    const effects = { a: 0.5, b: 0, c: -0.4 };
    const truth = (first: string, second: string) =>
      1 / (1 + Math.exp(-logOdds(product(first, second)) - effects[first as keyof typeof effects]));
    for (const [first, second] of NAMES) {
      const pipeline = measuredWith(
        pipelineWith((a, b) => (a === first && b === second ? null : truth(a, b))),
        30_000,
      );
      const [found, ...others] = fittedCombinations(pipeline, names => product(names[0] ?? "", names[1] ?? ""));
      assert.deepEqual([found?.names, others.length], [[first, second], 0]);
      assert.ok(Math.abs((found?.accuracy ?? 0) - truth(first, second)) < 0.02, `${first} → ${second}`);
      assert.equal(accuracy(pipeline, first, second), found?.accuracy);
    }
  });

  it("leaves exceptions alone: less than half of the combinations say nothing of the others", () => {
    const pipeline = pipelineWith((first, second) => (first === "a" && second !== "z" ? 0.1 : null));
    assert.equal(accuracy(pipeline, "a", "x"), 0.1);
    assert.ok(Math.abs(accuracy(pipeline, "a", "z") - product("a", "z")) < 1e-12);
  });

  it("does not take a variant that nothing was measured of for a hole in the table", () => {
    const pipeline = pipelineWith((a, b) => (a === "c" || b === "z" ? null : 0.5 * product(a, b)));
    const unprofiled = new Set(["c", "z"]);
    const stages = pipeline.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map(one => (unprofiled.has(one.name) ? { ...one, profile: null } : one)),
    }));
    const alone = (names: readonly string[]) => product(names[0] ?? "", names[1] ?? "");
    assert.equal(fittedCombinations(pipeline, alone).length, 0, "4 of 9 are too few");
    assert.equal(fittedCombinations({ ...pipeline, stages }, alone).length, 5);
  });

  it("gives shares, also where nothing or everything is right", () => {
    for (const share of [0, 1]) {
      const pipeline = pipelineWith((first, second) => (first === "c" && second === "z" ? null : share));
      const found = accuracy(pipeline, "c", "z");
      assert.ok(found >= 0 && found <= 1 && Math.abs(found - share) < 0.02, `${found}`);
    }
  });

  it("never lets a bound be below what it bounds", () => {
    const pipeline = pipelineWith((first, second) => (first === "c" && second === "z" ? null : 0.3));
    const model = accuracyOf(pipeline);
    const found = model.of(["c", "z"]);
    for (const bound of [model.most([]), model.most(["c"]), model.mostWith(0, "c"), model.mostWith(1, "z")])
      assert.ok(bound >= found, `${bound} < ${found}`);
  });

  it("never lets a search miss the best plan, nor a bound be below what it bounds, whatever was measured", function () {
    this.timeout(120_000);
    let fitted = 0;
    fc.assert(
      fc.property(smallProblem, fc.infiniteStream(fc.tuple(fc.boolean(), fc.nat(100))), (given, measured) => {
        const problem = withTable(given, measured);
        const { pipeline } = problem;
        const missing = fittedCombinations(pipeline, names => accuracyOf(aloneOf(pipeline)).of(names));
        if (missing.length === 0) return;
        fitted++;
        const model = accuracyOf(pipeline);
        for (const { names, accuracy: share } of missing) {
          assert.ok(share > 0 && share < 1, `${share}`);
          const prefixes = names.map((_, s) => model.most(names.slice(0, s + 1)));
          const bounds = [model.most([]), ...prefixes, ...names.map((name, s) => model.mostWith(s, name))];
          for (const bound of bounds) assert.ok(bound >= model.of(names) - 1e-12, `${bound} < ${model.of(names)}`);
        }
        const [best] = bruteForce(problem);
        const plan = optimize(problem);
        assert.equal(plan.feasible, best !== undefined);
        if (best) assert.ok(Math.abs(plan.objective - best.objective) < 1e-9, `${plan.objective}, ${best.objective}`);
      }),
      { numRuns: 400 },
    );
    assert.ok(fitted > 100, `${fitted}`);
  });

  it("sees where a later stage makes up for the errors of one before, which the product does not", () => {
    // What is right depends on the second stage alone.
    for (const [first, second] of NAMES) {
      const pipeline = measuredWith(
        pipelineWith((a, b) => (a === first && b === second ? null : SECOND[b as keyof typeof SECOND])),
        3000,
      );
      const off = Math.abs(accuracy(pipeline, first, second) - SECOND[second as keyof typeof SECOND]);
      assert.ok(off < 0.02, `${first} → ${second}: ${off}`);
    }
  });

  it("goes less far from the product, the fewer items were measured", () => {
    const off = (items: number): number => {
      const plain = pipelineWith((a, b) =>
        a === "a" && b === "x" ? null : 0.5 * product(a, b) + (a === "a" ? 0.2 : 0),
      );
      const combinations = plain.accuracy.combinations.map(combination => ({ ...combination, items }));
      const pipeline = { ...plain, accuracy: { ...plain.accuracy, combinations } };
      return Math.abs(accuracy(pipeline, "a", "x") - (0.5 * product("a", "x") + 0.2));
    };
    assert.ok(off(3000) < off(30) && off(30) < off(3), `${off(3000)}, ${off(30)}, ${off(3)}`);
  });

  it("predicts what was left out of the measured pipelines within 3 points, and better than the product", () => {
    for (const name of ["id-card", "video", "audio", "question-answering"]) {
      const pipeline = readPipeline(`${packageFolder}/pipelines/${name}`);
      const { combinations } = pipeline.accuracy;
      const errorOf = (method: "table" | "product") => {
        const errors = combinations.map(left => {
          const others = combinations.filter(other => other !== left);
          const without = { ...pipeline, accuracy: { ...pipeline.accuracy, method, combinations: others } };
          const names = pipeline.stages.map(stage => left.variants[stage.name] ?? "");
          return Math.abs(accuracyOf(without).of(names) - left.accuracy);
        });
        return errors.reduce((sum, error) => sum + error, 0) / errors.length;
      };
      const [table, alone] = [errorOf("table"), errorOf("product")];
      assert.ok(table < 0.03 && table < alone, `${name}: ${table}, ${alone}`);
    }
  });
});

/** What the stages' accuracies make of a combination, without the table. */
function aloneOf(pipeline: Pipeline): Pipeline {
  return { ...pipeline, accuracy: { ...pipeline.accuracy, combinations: [] } };
}

/** The problem with a table in which combinations are missing. */
function withTable(problem: Problem, measured: Iterator<readonly [boolean, number]>): Problem {
  const { stages } = problem.pipeline;
  const all = stages.reduce<readonly (readonly string[])[]>(
    (before, stage) => before.flatMap(names => stage.variants.map(({ name }) => [...names, name])),
    [[]],
  );
  const combinations = all.flatMap(names => {
    const [isLeftOut, percent] = measured.next().value ?? [true, 0];
    if (isLeftOut && percent > 30) return [];
    return [
      { variants: Object.fromEntries(stages.map(({ name }, s) => [name, names[s] ?? ""])), accuracy: percent / 100 },
    ];
  });
  const accuracy = { ...problem.pipeline.accuracy, method: "table" as const, combinations };
  return { ...problem, pipeline: { ...problem.pipeline, accuracy } };
}
