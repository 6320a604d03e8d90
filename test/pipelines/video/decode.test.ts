import assert from "node:assert/strict";
import { describe, it } from "mocha";
import sharp from "sharp";
import { VariscaleError } from "../../../domain/errors.ts";
import { decodeFrame } from "../../../pipelines/video/decode.ts";

function picture(width: number, height: number) {
  return sharp({ create: { width, height, channels: 3, background: { r: 200, g: 200, b: 200 } } });
}

describe("decodeFrame()", () => {
  it("gives 320 × 240 grey pixels for JPEG and PNG of any size and colour", async () => {
    for (const body of [
      await picture(320, 240).jpeg().toBuffer(),
      await picture(640, 480).png().toBuffer(),
      await picture(320, 240).ensureAlpha(0.5).png().toBuffer(),
      await picture(320, 240).greyscale().jpeg().toBuffer(),
    ]) {
      const { width, height, data } = await decodeFrame(body, "image/jpeg");
      assert.deepEqual([width, height, data.length], [320, 240, 320 * 240]);
      assert.ok(data[0] === data[320 * 120 + 160] && (data[0] ?? 0) >= 199);
    }
  });

  it("keeps proportions", async () => {
    const { data } = await decodeFrame(await picture(240, 240).png().toBuffer(), "image/png");
    assert.deepEqual([data[320 * 100 + 5], data[320 * 100 + 160]], [127, 200]);
  });

  it("says that a frame is wanted", async () => {
    await assert.rejects(
      decodeFrame(Buffer.from("no image"), "image/jpeg"),
      (error: unknown) =>
        error instanceof VariscaleError &&
        error.code === "invalid_argument" &&
        /send a JPEG or PNG frame of a street/.test(error.message),
    );
  });
});
