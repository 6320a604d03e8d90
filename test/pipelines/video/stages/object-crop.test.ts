import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Box } from "../../../../pipelines/video/box.ts";
import { CROP_SIDE, cropObject } from "../../../../pipelines/video/stages/object-crop.ts";

const width = 320;
const height = 240;
/** Brightness grows by half a level per pixel to the right, and by a half downwards in the lower rows. */
const data = Uint8Array.from({ length: width * height }, (_, i) => Math.floor((i % width) / 2));
const frame = { width, height, data };

const at = (crop: Uint8Array, x: number, y: number): number => crop[y * CROP_SIDE + x] ?? -1;

describe("cropObject()", () => {
  it("shows the longer side with a tenth around it, centred and in proportion", () => {
    const crop = cropObject(frame, [100, 110, 200, 130]);
    // 120 pixels from 90 to 210, two of them to a level.
    assert.ok(Math.abs(at(crop, 0, 0) - 45) <= 1, `${at(crop, 0, 0)}`);
    assert.ok(Math.abs(at(crop, 63, 0) - 104) <= 1, `${at(crop, 63, 0)}`);
    assert.ok(Math.abs(at(crop, 32, 63) - 75) <= 1, `${at(crop, 32, 63)}`);
  });

  it("goes down the frame by rows", () => {
    const striped = { width, height, data: data.map((_, i) => Math.floor(i / width)) };
    const crop = cropObject(striped, [110, 100, 130, 200]);
    assert.ok(Math.abs(at(crop, 0, 0) - 91) <= 1 && at(crop, 0, 0) === at(crop, 63, 0));
    assert.ok(Math.abs(at(crop, 0, 63) - 209) <= 1, `${at(crop, 0, 63)}`);
  });

  it("repeats the frame's edge beyond it", () => {
    const crop = cropObject(frame, [0, 0, 50, 50]);
    assert.deepEqual([at(crop, 0, 0), at(crop, 4, 0)], [0, 0]);
    const right = cropObject(frame, [290, 200, 320, 230]);
    assert.equal(at(right, 63, 0), 159);
  });

  it("gives a whole crop for any box, in the frame or not", () => {
    const edge = fc.double({ min: -1000, max: 2000, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(edge, edge, edge, edge), box => {
        assert.equal(cropObject(frame, box as Box).length, CROP_SIDE * CROP_SIDE);
      }),
      { numRuns: 50 },
    );
  });
});
