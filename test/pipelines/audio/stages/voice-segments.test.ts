import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { findSegments, VOICE_STEPS } from "../../../../pipelines/audio/stages/voice-segments.ts";

/** A value, from the first step until the one after the last. */
type Part = readonly [first: number, after: number, value: number];

function curveOf(...parts: readonly Part[]): Float32Array {
  const curve = new Float32Array(VOICE_STEPS);
  for (const [first, after, value] of parts) curve.fill(value, first, after);
  return curve;
}

const found = (...parts: readonly Part[]): (readonly [number, number])[] =>
  findSegments(curveOf(...parts)).map(({ start, end }) => [Math.round(start * 50), Math.round(end * 50)]);

describe("findSegments()", () => {
  it("finds where the curve is up, with its mean", () => {
    assert.deepEqual(found([10, 30, 0.9], [50, 60, 0.8]), [
      [10, 30],
      [50, 60],
    ]);
    const [segment] = findSegments(curveOf([10, 20, 1], [20, 30, 0.5]));
    assert.ok(segment && Math.abs(segment.score - 0.75) < 1e-6);
    assert.deepEqual(found(), []);
  });

  it("goes on until the curve is well down, and does not begin there", () => {
    assert.deepEqual(found([10, 20, 0.9], [20, 30, 0.4], [30, 40, 0.3]), [[10, 30]]);
    assert.deepEqual(found([10, 20, 0.4], [20, 30, 0.9]), [[20, 30]]);
  });

  it("joins what a short gap parts, and leaves clicks out", () => {
    assert.deepEqual(found([10, 20, 0.9], [23, 30, 0.9]), [[10, 30]]);
    assert.deepEqual(found([10, 20, 0.9], [24, 30, 0.9]), [
      [10, 20],
      [24, 30],
    ]);
    assert.deepEqual(found([10, 14, 0.9], [40, 45, 0.9]), [[40, 45]]);
  });

  it("ends with the clip, and makes nothing of what is no number", () => {
    assert.deepEqual(found([140, 150, 0.9]), [[140, 150]]);
    assert.deepEqual(found([0, 150, Number.NaN]), []);
    assert.deepEqual(found([10, 20, 0.9], [20, 150, Number.NaN]), [[10, 20]]);
    assert.deepEqual(found([10, 20, 0.9], [20, 21, Number.NaN], [21, 30, 0.9]), [[10, 30]]);
  });

  it("keeps the longest of too many, in their order", () => {
    const parts = Array.from({ length: 12 }, (_, i) => [12 * i, 12 * i + (i % 2 ? 8 : 5), 0.9] as const);
    const kept = found(...parts);
    assert.equal(kept.length, 8);
    assert.deepEqual(kept.filter(([first]) => (first / 12) % 2 === 1).length, 6);
    assert.deepEqual(
      kept,
      kept.toSorted((a, b) => a[0] - b[0]),
    );
  });
});
