import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { accuracyOf, isAccuracyKnown } from "../../optimizer/accuracy.ts";
import { combined } from "../../optimizer/composite.ts";
import { mixedAccuracy } from "../../optimizer/predict.ts";
import { type PipelineShape, pipelineOf } from "./problems.ts";
import { pipelineShape } from "./random-problem.ts";

const shape: PipelineShape = {
  stages: [
    {
      name: "detect",
      variants: [
        { name: "light", accuracy: 0.8, latencyMs: { 1: 5 } },
        { name: "heavy", accuracy: 0.9, latencyMs: { 1: 20 } },
      ],
    },
    {
      name: "read",
      variants: [
        { name: "light", accuracy: 0.5, latencyMs: { 1: 5 } },
        { name: "heavy", accuracy: null, latencyMs: { 1: 20 } },
      ],
    },
  ],
  combinations: [
    { variants: { detect: "light", read: "light" }, accuracy: 0.3 },
    { variants: { detect: "light", read: "light" }, accuracy: 0.99 },
    { variants: { detect: "heavy" }, accuracy: 0.98 },
    { variants: { detect: "heavy", read: "unknown" }, accuracy: 0.97 },
  ],
};

describe("isAccuracyKnown()", () => {
  const pipeline = pipelineOf(shape);

  it("is true where each variant's accuracy is known, or that of the combination was measured", () => {
    assert.equal(isAccuracyKnown(pipeline, [["light"], ["light"]]), true);
    assert.equal(isAccuracyKnown(pipeline, [["light", "heavy"], ["light"]]), true);
    const combinations = [{ variants: { detect: "light", read: "heavy" }, accuracy: 0.7 }];
    assert.equal(isAccuracyKnown(pipelineOf({ ...shape, combinations }), [["light"], ["heavy"]]), true);
  });

  it("is false where one that is not known serves, alone or beside others", () => {
    assert.equal(isAccuracyKnown(pipeline, [["light"], ["heavy"]]), false);
    assert.equal(isAccuracyKnown(pipeline, [["light"], ["light", "heavy"]]), false);
  });
});

describe("accuracyOf()", () => {
  it("takes a measured combination as it is, the first one of two", () => {
    assert.equal(accuracyOf(pipelineOf(shape)).of(["light", "light"]), 0.3);
  });

  it("is the mean of what was measured where rows are split over two variants", () => {
    const pipeline = combined(pipelineOf(shape), { detect: { kind: "split" } });
    const model = accuracyOf(pipeline);
    // light → light was measured as 0.3, heavy → light was not: 0.9 · 0.5.
    assert.ok(Math.abs(model.of(["0.25*heavy+0.75*light", "light"]) - (0.75 * 0.3 + 0.25 * 0.45)) < 1e-12);
    assert.ok(Math.abs(model.of(["0.5*heavy+0.5*light", "heavy"]) - 0.85) < 1e-12);
    assert.ok(model.most(["0.25*heavy+0.75*light"]) >= 0.75 * 0.8 + 0.25 * 0.9 - 1e-12);
    assert.equal(model.isMeasured(["0.25*heavy+0.75*light", "light"]), true);
    assert.equal(model.isMeasured(["0.25*heavy+0.75*light", "heavy"]), false);
  });

  it("falls back to the product, an unknown accuracy counting as 1", () => {
    const model = accuracyOf(pipelineOf(shape));
    assert.equal(model.of(["heavy", "light"]), 0.9 * 0.5);
    assert.equal(model.of(["heavy", "heavy"]), 0.9);
  });

  it("does without the table when the file asks for the product", () => {
    assert.equal(accuracyOf(pipelineOf({ ...shape, method: "product" })).of(["light", "light"]), 0.4);
  });

  it("goes on through a stage that repairs what was wrong before it", () => {
    const [detect, read] = shape.stages;
    const model = accuracyOf(
      pipelineOf({ ...shape, method: "markov", stages: [detect!, { ...read!, recovery: 0.3 }] }),
    );
    // 0.8 · 0.5 + 0.2 · 0.3, and for what is never wrong by itself 0.9 · 1 + 0.1 · 0.3.
    assert.ok(Math.abs(model.of(["light", "light"]) - 0.46) < 1e-12);
    assert.ok(Math.abs(model.of(["heavy", "heavy"]) - 0.93) < 1e-12);
    // No stage repairs more than it does right: 0.8 · 0.5 + 0.2 · 0.5.
    const most = accuracyOf(pipelineOf({ ...shape, method: "markov", stages: [detect!, { ...read!, recovery: 0.7 }] }));
    assert.ok(Math.abs(most.of(["light", "light"]) - 0.5) < 1e-12);
  });

  it("is the mean of the ranks where the file asks for them", () => {
    const [detect, read] = shape.stages;
    const between = { name: "middle", accuracy: 0.81, latencyMs: { 1: 10 } };
    const stages = [{ ...detect!, variants: [...detect!.variants, between] }, read!];
    const model = accuracyOf(pipelineOf({ ...shape, method: "rankSum", stages }));
    assert.equal(model.of(["light", "light"]), 0);
    assert.equal(model.of(["middle", "light"]), 0.25);
    assert.equal(model.of(["middle", "heavy"]), 0.75);
    assert.equal(model.of(["heavy", "heavy"]), 1);
  });

  it("makes a model once for a table, and again when variants change", () => {
    const pipeline = pipelineOf(shape);
    const [first, ...rest] = pipeline.stages;
    const others = { ...pipeline, stages: [{ ...first!, variants: first!.variants.slice(0, 1) }, ...rest] };
    assert.equal(accuracyOf(pipeline), accuracyOf({ ...pipeline, stages: [...pipeline.stages] }));
    assert.notEqual(accuracyOf(pipeline), accuracyOf(others));
  });

  it("bounds every combination from every prefix", () => {
    fc.assert(
      fc.property(pipelineShape, given => {
        const pipeline = pipelineOf(given);
        const model = accuracyOf(pipeline);
        const visit = (variants: readonly string[]): number => {
          const stage = pipeline.stages[variants.length];
          const best = stage
            ? Math.max(...stage.variants.map(variant => visit([...variants, variant.name])))
            : model.of(variants);
          assert.ok(model.most(variants) >= best - 1e-12, `${variants}: ${model.most(variants)} below ${best}`);
          return best;
        };
        visit([]);
      }),
      { numRuns: 200 },
    );
  });
});

describe("mixedAccuracy()", () => {
  const mix = (light: number) => [
    { variant: "light", share: light },
    { variant: "heavy", share: 1 - light },
  ];
  const near = (value: number, wanted: number) => assert.ok(Math.abs(value - wanted) < 1e-12, `${value}`);

  it("is the mean of what the combinations are, by their shares", () => {
    // light → light was measured as 0.3, the others were not.
    const wanted = 0.25 * 0.5 * 0.3 + 0.25 * 0.5 * 0.8 + 0.75 * 0.5 * (0.9 * 0.5) + 0.75 * 0.5 * 0.9;
    near(mixedAccuracy(accuracyOf(pipelineOf(shape)), [mix(0.25), mix(0.5)], 4), wanted);
  });

  it("goes from stage to stage where there are too many of them, which is the same where nothing was measured", () => {
    const model = accuracyOf(pipelineOf({ ...shape, combinations: [] }));
    near(mixedAccuracy(model, [mix(0.25), mix(0.5)], 3), mixedAccuracy(model, [mix(0.25), mix(0.5)], 4));
    near(mixedAccuracy(accuracyOf(pipelineOf(shape)), [mix(0.25), mix(0.5)], 3), (0.25 * 0.8 + 0.75 * 0.9) * 0.75);
  });
});
