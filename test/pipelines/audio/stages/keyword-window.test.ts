import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { cutWindow, WINDOW_SAMPLES } from "../../../../pipelines/audio/stages/keyword-window.ts";

/** Sample n is n + 1, so that none is 0. */
const clip = Float32Array.from({ length: 24_000 }, (_, at) => at + 1);

/** First and last sample that is not silent: where in the window, and which of the clip it is. */
function heard(window: Float32Array): number[] {
  const first = window.findIndex(sample => sample !== 0);
  const last = window.findLastIndex(sample => sample !== 0);
  return [first, (window[first] ?? 0) - 1, last, (window[last] ?? 0) - 1];
}

describe("cutWindow()", () => {
  it("has the segment and its margin in the middle, and nothing else", () => {
    const window = cutWindow(clip, { start: 1, end: 1.4 }, 0.05);
    assert.equal(window.length, WINDOW_SAMPLES);
    assert.deepEqual(heard(window), [1200, 7600, 5199, 11_599]);
  });

  it("ends where the clip does", () => {
    assert.deepEqual(heard(cutWindow(clip, { start: 0, end: 0.4 }, 0.1)), [1200, 0, 5199, 3999]);
    assert.deepEqual(heard(cutWindow(clip, { start: 2.6, end: 3 }, 0.1)), [1200, 20_000, 5199, 23_999]);
  });

  it("cuts both ends of what is too long", () => {
    assert.deepEqual(heard(cutWindow(clip, { start: 1, end: 2 }, 0)), [0, 8800, 6399, 15_199]);
  });

  it("is silent where there is nothing", () => {
    assert.ok(cutWindow(clip, { start: 1, end: 1 }, 0).every(sample => sample === 0));
    assert.ok(cutWindow(clip, { start: 4, end: 5 }, 0).every(sample => sample === 0));
  });
});
