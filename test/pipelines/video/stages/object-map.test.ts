import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { findObjects, MAP_HEIGHT, MAP_WIDTH, type ObjectMap } from "../../../../pipelines/video/stages/object-map.ts";

const CELLS = MAP_WIDTH * MAP_HEIGHT;

/** A map with peaks: column, row, heat, and the distance of the four edges from the middle of the cell. */
function mapWith(...peaks: readonly (readonly [number, number, number, readonly number[]])[]): ObjectMap {
  const heat = new Float32Array(CELLS);
  const edges = new Float32Array(4 * CELLS);
  for (const [column, row, score, distances] of peaks) {
    const at = row * MAP_WIDTH + column;
    heat[at] = score;
    for (const [edge, distance] of distances.entries()) edges[edge * CELLS + at] = distance;
  }
  return { heat, edges };
}

describe("findObjects()", () => {
  it("gives each peak the box around its cell, from top to bottom", () => {
    const map = mapWith([30, 40, 0.75, [10, 6, 12, 8]], [10, 20, 0.5, [6, 5, 4, 3]]);
    assert.deepEqual(findObjects(map), [
      { box: [36, 77, 46, 85], score: 0.5 },
      { box: [112, 156, 134, 170], score: 0.75 },
    ]);
  });

  it("finds nothing in an empty map, below the threshold, and in specks", () => {
    assert.deepEqual(findObjects(mapWith()), []);
    assert.deepEqual(findObjects(mapWith([30, 40, 0.39, [10, 10, 10, 10]])), []);
    assert.deepEqual(findObjects(mapWith([30, 40, 0.9, [1, 10, 1, 10]])), []);
  });

  it("takes the hottest of neighbours, and the first of equals, once", () => {
    const edges = [8, 8, 8, 8];
    const hotter = findObjects(mapWith([30, 40, 0.75, edges], [31, 41, 0.875, edges]));
    assert.deepEqual(hotter, [{ box: [118, 158, 134, 174], score: 0.875 }]);
    const equal = findObjects(mapWith([30, 40, 0.75, edges], [31, 40, 0.75, edges], [30, 41, 0.75, edges]));
    assert.deepEqual(equal, [{ box: [114, 154, 130, 170], score: 0.75 }]);
    const apart = findObjects(mapWith([30, 40, 0.75, [20, 8, 0, 8]], [31, 40, 0.75, [0, 8, 20, 8]]));
    assert.deepEqual(apart, [{ box: [102, 154, 122, 170], score: 0.75 }]);
  });

  it("keeps the surer of two boxes of one object, and both of two objects", () => {
    const edges = [20, 20, 20, 20];
    const same = findObjects(mapWith([30, 40, 0.75, edges], [33, 40, 0.5, edges]));
    assert.deepEqual(
      same.map(({ score }) => score),
      [0.75],
    );
    assert.equal(findObjects(mapWith([30, 40, 0.75, edges], [40, 40, 0.5, edges])).length, 2);
  });

  it("keeps boxes in the frame", () => {
    assert.deepEqual(findObjects(mapWith([0, 0, 0.5, [10, 10, 10, 10]])), [{ box: [0, 0, 12, 12], score: 0.5 }]);
    const corner = findObjects(mapWith([79, 59, 0.5, [10, 10, Infinity, 10]]));
    assert.deepEqual(corner, [{ box: [308, 228, 320, 240], score: 0.5 }]);
  });

  it("takes any map: at most 20 boxes, all of them in the frame", () => {
    const odd = fc.constantFrom(Number.NaN, Infinity, -Infinity, -1, 0, 0.4, 0.5, 1, 7, 1e30);
    fc.assert(
      fc.property(
        fc.array(odd, { minLength: 7, maxLength: 29 }),
        fc.array(odd, { minLength: 5, maxLength: 13 }),
        (a, b) => {
          const heat = Float32Array.from({ length: CELLS }, (_, i) => a[i % a.length] ?? 0);
          const edges = Float32Array.from({ length: 4 * CELLS }, (_, i) => 20 * (b[i % b.length] ?? 0));
          const regions = findObjects({ heat, edges });
          assert.ok(regions.length <= 20);
          for (const { box, score } of regions) {
            assert.ok(score >= 0.4 && score <= 1);
            assert.ok(box[0] >= 0 && box[1] >= 0 && box[2] <= 320 && box[3] <= 240, String(box));
            assert.ok(box[2] - box[0] >= 4 && box[3] - box[1] >= 4, String(box));
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
