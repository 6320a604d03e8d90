import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { bestSpan } from "../../../../pipelines/question-answering/stages/best-span.ts";

const spanOf = (starts: number[], ends: number[], firstSlot = 0, count = starts.length) =>
  bestSpan(Float32Array.from(starts), Float32Array.from(ends), firstSlot, count);

describe("bestSpan()", () => {
  it("takes the likeliest beginning with the likeliest end that does not lie before it", () => {
    assert.deepEqual(spanOf([0, 0.5, 0.5, 0], [0, 0, 0.25, 0.5]), { first: 1, last: 3, probability: 0.25 });
    assert.deepEqual(spanOf([0.125, 0, 0.5], [0.5, 0, 0.25]), { first: 2, last: 2, probability: 0.125 });
    assert.deepEqual(spanOf([0, 0.25, 0.5], [0.75, 0.5, 0]), { first: 1, last: 1, probability: 0.125 });
  });

  it("takes six words at most", () => {
    const [starts, ends] = [new Array<number>(8).fill(0), new Array<number>(8).fill(0)];
    starts[0] = 1;
    ends[6] = 1;
    ends[5] = 0.25;
    assert.deepEqual(spanOf(starts, ends), { first: 0, last: 5, probability: 0.25 });
  });

  it("counts words from the first slot, and looks no further than the last word", () => {
    assert.deepEqual(spanOf([1, 0.25, 0.5, 1], [1, 0.25, 0.5, 1], 1, 2), { first: 1, last: 1, probability: 0.25 });
    assert.equal(spanOf([1], [1], 0, 0), null);
  });

  it("finds no number unlikely", () => {
    assert.deepEqual(spanOf([Number.NaN, 0.5], [Number.NaN, 0.5]), { first: 1, last: 1, probability: 0.25 });
    assert.deepEqual(spanOf([Number.NaN], [Number.POSITIVE_INFINITY]), { first: 0, last: 0, probability: 0 });
    assert.deepEqual(spanOf([-1, 3], [1, 1]), { first: 1, last: 1, probability: 1 });
  });
});
