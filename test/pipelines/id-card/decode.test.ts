import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import sharp from "sharp";
import { VariscaleError } from "../../../domain/errors.ts";
import { decodePhoto } from "../../../pipelines/id-card/decode.ts";

function picture(width: number, height: number) {
  return sharp({ create: { width, height, channels: 3, background: { r: 200, g: 100, b: 50 } } });
}

function refusal(pattern: RegExp): (error: unknown) => boolean {
  return error => error instanceof VariscaleError && error.code === "invalid_argument" && pattern.test(error.message);
}

describe("decodePhoto()", () => {
  it("gives 640 × 448 RGB for JPEG and PNG of any size", async () => {
    for (const body of [
      await picture(640, 448).jpeg().toBuffer(),
      await picture(1280, 896).png().toBuffer(),
      await picture(320, 320).jpeg().toBuffer(),
      await picture(640, 448).ensureAlpha(0.5).png().toBuffer(),
      await picture(640, 448).greyscale().jpeg().toBuffer(),
    ]) {
      const photo = await decodePhoto(body, "image/jpeg");
      assert.equal(photo.data.length, 640 * 448 * 3);
    }
  });

  it("keeps proportions", async () => {
    const { data } = await decodePhoto(await picture(448, 448).png().toBuffer(), "image/png");
    const at = (x: number, y: number): number[] => [...data.subarray(3 * (y * 640 + x), 3 * (y * 640 + x) + 3)];
    assert.deepEqual(at(10, 200), [127, 127, 127]);
    assert.deepEqual(at(320, 200), [200, 100, 50]);
  });

  it("refuses photos that are cut short", async () => {
    const body = await picture(640, 448).jpeg().toBuffer();
    await assert.rejects(decodePhoto(body.subarray(0, body.length / 2), "image/jpeg"), refusal(/can't decode/));
  });

  it("refuses photos with too many or too few pixels", async () => {
    const huge = await picture(12_000, 8_000).png().toBuffer();
    await assert.rejects(decodePhoto(huge, "image/png"), refusal(/can't decode.*pixel/));
    await assert.rejects(decodePhoto(await picture(8, 8).png().toBuffer(), "image/png"), refusal(/8 × 8 pixels/));
  });

  it("refuses other types, by what is declared and by what is sent", async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="640" height="448"/>');
    await assert.rejects(decodePhoto(svg, "image/jpeg"), refusal(/neither as JPEG nor as PNG/));
    await assert.rejects(decodePhoto(svg, "image/svg+xml"), refusal(/content type `image\/svg\+xml`/));
    await assert.rejects(decodePhoto(new Uint8Array(), ""), refusal(/the body \(0 bytes\)/));
    await assert.rejects(decodePhoto(new Uint8Array(16 * 1024 * 1024 + 1), ""), refusal(/at most 16777216/));
  });

  it("refuses whatever else, or decodes it", async () => {
    const jpeg = await picture(64, 64).jpeg().toBuffer();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(jpeg.length - 1), fc.nat(255)), { maxLength: 8 }), async edits => {
        const body = Buffer.from(jpeg);
        for (const [at, value] of edits) body[at] = value;
        try {
          assert.equal((await decodePhoto(body, "image/jpeg")).data.length, 640 * 448 * 3);
        } catch (error) {
          assert.ok(refusal(/photo|body/)(error), String(error));
        }
      }),
      { numRuns: 40 },
    );
  });
});
