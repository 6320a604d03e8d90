import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Pipeline } from "../../domain/pipeline.ts";
import { accuracyOf } from "../../optimizer/accuracy.ts";
import { fittedCombinations } from "../../optimizer/fitted-table.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { packageFolder } from "../../runtime/version.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

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

const accuracy = (pipeline: Pipeline, first: string, second: string) => accuracyOf(pipeline).of([first, second]);

describe("fittedCombinations()", () => {
  it("carries what variants do to the product over to what was not measured", () => {
    // Common causes with `a`, errors passed on by `c`.
    const factor = { a: 1.2, b: 1, c: 0.9 };
    const truth = (first: string, second: string) => product(first, second) * factor[first as keyof typeof factor];
    for (const [first, second] of NAMES) {
      const pipeline = pipelineWith((a, b) => (a === first && b === second ? null : truth(a, b)));
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

  it("predicts what was left out of the measured pipelines better than the product", () => {
    for (const name of ["id-card", "video"]) {
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
      assert.ok(errorOf("table") < 0.03 && errorOf("table") < errorOf("product"), name);
    }
  });
});
