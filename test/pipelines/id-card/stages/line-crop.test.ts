import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Quad } from "../../../../pipelines/id-card/quad.ts";
import { cropLine, LINE_HEIGHT, LINE_WIDTH } from "../../../../pipelines/id-card/stages/line-crop.ts";

const width = 640;
const height = 448;
/** Red grows to the right, green downwards. */
const data = new Uint8Array(width * height * 3);
for (let y = 0; y < height; y++) {
  for (let x = 0; x < width; x++) data.set([x / 4, y / 4, 7], 3 * (y * width + x));
}
const photo = { width, height, data };

function pixel(line: Uint8Array, x: number, y: number): number[] {
  return [...line.subarray(3 * (y * LINE_WIDTH + x), 3 * (y * LINE_WIDTH + x) + 3)];
}

describe("cropLine()", () => {
  it("scales an upright quad to the height of a line and pads the rest with grey", () => {
    const line = cropLine(photo, [100, 200, 200, 200, 200, 224, 100, 224]);
    assert.deepEqual(pixel(line, 0, 0), [25, 50, 7]);
    assert.deepEqual(pixel(line, 199, 47), [49, 55, 7]);
    assert.deepEqual(pixel(line, 200, 47), [127, 127, 127]);
  });

  it("reads along the quad when it is turned", () => {
    const line = cropLine(photo, [300, 100, 300, 200, 276, 200, 276, 100]);
    const [startRed, startGreen] = pixel(line, 0, 24);
    const [endRed, endGreen] = pixel(line, 199, 24);
    assert.ok(Math.abs((startRed ?? 0) - (endRed ?? 0)) <= 1);
    assert.ok((endGreen ?? 0) - (startGreen ?? 0) > 20);
  });

  it("gives a whole line for any quad, in the photo or not", () => {
    const corner = fc.double({ min: -1000, max: 2000, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(corner, corner, corner, corner, corner, corner, corner, corner), quad => {
        assert.equal(cropLine(photo, quad as Quad).length, LINE_WIDTH * LINE_HEIGHT * 3);
      }),
      { numRuns: 50 },
    );
  });
});
