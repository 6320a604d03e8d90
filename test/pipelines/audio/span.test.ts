import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { matchSpans, overlap } from "../../../pipelines/audio/span.ts";

describe("overlap()", () => {
  it("is the common part of what both cover", () => {
    assert.equal(overlap({ start: 1, end: 2 }, { start: 1, end: 2 }), 1);
    assert.equal(overlap({ start: 0, end: 2 }, { start: 1, end: 3 }), 1 / 3);
    assert.equal(overlap({ start: 0, end: 4 }, { start: 1, end: 2 }), 1 / 4);
    assert.equal(overlap({ start: 0, end: 1 }, { start: 1, end: 2 }), 0);
    assert.equal(overlap({ start: 2, end: 3 }, { start: 0, end: 1 }), 0);
  });
});

describe("matchSpans()", () => {
  it("takes the stretch that is more than half the same, and none otherwise", () => {
    const found = [
      { start: 0.1, end: 0.5 },
      { start: 0.9, end: 1.3 },
      { start: 2, end: 2.2 },
    ];
    const wanted = [
      { start: 0.9, end: 1.4 },
      { start: 2, end: 2.5 },
      { start: 0.1, end: 0.6 },
    ];
    assert.deepEqual(matchSpans(wanted, found), [1, -1, 0]);
    assert.deepEqual(matchSpans([], found), []);
    assert.deepEqual(matchSpans(wanted, []), [-1, -1, -1]);
  });
});
