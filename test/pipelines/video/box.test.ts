import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type Box, matchBoxes, overlap } from "../../../pipelines/video/box.ts";

describe("overlap()", () => {
  it("is what two boxes have in common of what they cover", () => {
    assert.equal(overlap([0, 0, 10, 10], [0, 0, 10, 10]), 1);
    assert.equal(overlap([0, 0, 10, 10], [5, 0, 15, 10]), 1 / 3);
    assert.equal(overlap([0, 0, 10, 10], [2, 2, 4, 4]), 0.04);
    assert.equal(overlap([0, 0, 10, 10], [10, 0, 20, 10]), 0);
    assert.equal(overlap([0, 0, 10, 10], [40, 40, 50, 50]), 0);
  });

  it("is 0 for what is no box", () => {
    assert.equal(overlap([0, 0, 10, 10], [Number.NaN, 0, 10, 10]), 0);
    assert.equal(overlap([0, 0, 10, 10], [10, 10, 0, 0]), 0);
  });

  it("is the same both ways and between 0 and 1", () => {
    const side = fc.integer({ min: 1, max: 60 });
    const box = fc
      .tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 200 }), side, side)
      .map(([x, y, width, height]): Box => [x, y, x + width, y + height]);
    fc.assert(
      fc.property(box, box, (a, b) => {
        const share = overlap(a, b);
        assert.equal(share, overlap(b, a));
        assert.ok(share >= 0 && share <= 1);
      }),
    );
  });
});

describe("matchBoxes()", () => {
  const left: Box = [0, 0, 20, 20];
  const right: Box = [100, 0, 120, 20];

  it("gives each box the one that is the same object, and -1 where there is none", () => {
    assert.deepEqual(matchBoxes([left, right], [[101, 1, 121, 21]]), [-1, 0]);
    assert.deepEqual(matchBoxes([left], []), [-1]);
    assert.deepEqual(matchBoxes([], [left]), []);
  });

  it("takes the larger overlap first, and no box twice", () => {
    assert.deepEqual(matchBoxes([[4, 0, 24, 20], left], [left]), [-1, 0]);
    assert.deepEqual(matchBoxes([left], [[4, 0, 24, 20], left]), [1]);
  });

  it("wants half of what both cover", () => {
    assert.deepEqual(matchBoxes([left], [[0, 0, 20, 10]]), [0]);
    assert.deepEqual(matchBoxes([left], [[0, 0, 20, 9.9]]), [-1]);
  });
});
