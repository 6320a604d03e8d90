import sharp from "sharp";
import { VariscaleError } from "../../domain/errors.ts";
import { PHOTO_HEIGHT, PHOTO_WIDTH, type Photo } from "./card.ts";

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_PIXELS = 50_000_000;
const MIN_SIDE = 32;
const CONTENT_TYPES = ["image/jpeg", "image/png", "application/octet-stream"];
const ADVICE = "send a JPEG or PNG photo of a card";

/**
 * Decodes a photo of a card to `PHOTO_WIDTH` × `PHOTO_HEIGHT` RGB; other proportions get grey bars.
 * @throws VariscaleError `invalid_argument` for anything but a whole JPEG or PNG of sensible size.
 */
export async function decodePhoto(body: Uint8Array, contentType: string): Promise<Photo> {
  checkBody(body, contentType);
  try {
    const image = sharp(body, { limitInputPixels: MAX_PIXELS, failOn: "truncated" });
    const { width, height } = await image.metadata();
    if (width < MIN_SIDE || height < MIN_SIDE) {
      throw new VariscaleError(
        "invalid_argument",
        `the photo is ${width} × ${height} pixels but must have at least ${MIN_SIDE} each way: ${ADVICE}`,
      );
    }
    const { data } = await image
      .autoOrient()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .resize(PHOTO_WIDTH, PHOTO_HEIGHT, { fit: "contain", background: "rgb(127,127,127)" })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: PHOTO_WIDTH, height: PHOTO_HEIGHT, data };
  } catch (cause) {
    if (cause instanceof VariscaleError) throw cause;
    const what = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
    throw new VariscaleError("invalid_argument", `can't decode the photo (${what}): ${ADVICE}`, { cause });
  }
}

/** Refuses by size, declared type and first bytes, before any decoder sees the body. */
function checkBody(body: Uint8Array, contentType: string): void {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "" && !CONTENT_TYPES.includes(type)) {
    throw new VariscaleError(
      "invalid_argument",
      `content type \`${type.slice(0, 100)}\` is not one of ${CONTENT_TYPES.join(", ")}: ${ADVICE}`,
    );
  }
  if (body.length > MAX_BYTES) {
    throw new VariscaleError(
      "invalid_argument",
      `the photo has ${body.length} bytes but at most ${MAX_BYTES} are taken: send a smaller one`,
    );
  }
  const isJpeg = body[0] === 0xff && body[1] === 0xd8 && body[2] === 0xff;
  const isPng = body[0] === 0x89 && body[1] === 0x50 && body[2] === 0x4e && body[3] === 0x47;
  if (!isJpeg && !isPng) {
    throw new VariscaleError(
      "invalid_argument",
      `the body (${body.length} bytes) starts neither as JPEG nor as PNG: ${ADVICE}`,
    );
  }
}
