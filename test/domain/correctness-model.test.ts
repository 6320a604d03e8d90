import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { chanceOfRight, correctnessModelSchema } from "../../domain/correctness-model.ts";

const MODEL = {
  bias: 1,
  signals: [
    { name: "sure", mean: 2, scale: 0.5, weight: 1.5 },
    { name: "broken", mean: 0, scale: 1, weight: -2 },
  ],
};
const logistic = (odds: number) => 1 / (1 + Math.exp(-odds));

describe("chanceOfRight()", () => {
  it("adds up the signals in standard deviations", () => {
    assert.equal(chanceOfRight(MODEL, { sure: 3, broken: 1 }), logistic(1 + 3 - 2));
  });

  it("counts what is missing or no number as the mean, and other signals not at all", () => {
    assert.equal(chanceOfRight(MODEL, {}), logistic(1));
    assert.equal(chanceOfRight(MODEL, { sure: Number.NaN, broken: Number.POSITIVE_INFINITY, other: 7 }), logistic(1));
  });

  it("goes no further than five standard deviations", () => {
    assert.equal(chanceOfRight(MODEL, { sure: 1e9 }), logistic(1 + 7.5));
    assert.equal(chanceOfRight(MODEL, { sure: -1e9 }), logistic(1 - 7.5));
  });
});

describe("correctnessModelSchema", () => {
  it("takes a model, and none whose numbers can't be used", () => {
    assert.deepEqual(correctnessModelSchema.parse(MODEL), MODEL);
    const broken = (change: object) => correctnessModelSchema.safeParse({ ...MODEL, ...change }).success;
    assert.equal(broken({ bias: Number.NaN }), false);
    assert.equal(broken({ signals: [{ ...MODEL.signals[0], scale: 0 }] }), false);
  });
});
