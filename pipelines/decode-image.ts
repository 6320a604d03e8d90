import sharp from "sharp";
import { VariscaleError } from "../domain/errors.ts";

const MAX_BYTES = 16 * 1024 * 1024;
const MAX_PIXELS = 50_000_000;
const MIN_SIDE = 32;
const CONTENT_TYPES = ["image/jpeg", "image/png", "application/octet-stream"];

/** What a pipeline makes of the pictures that it is sent. */
export interface ImageForm {
  /** What such a picture is called in messages, and of what it is one. */
  readonly name: string;
  readonly subject: string;
  readonly width: number;
  readonly height: number;
  readonly colour: "rgb" | "grey";
}

/**
 * Decodes a picture to interleaved bytes of `form.width` × `form.height`; other proportions get grey bars.
 * @throws VariscaleError `invalid_argument` for anything but a whole JPEG or PNG of sensible size.
 */
export async function decodeImage(body: Uint8Array, contentType: string, form: ImageForm): Promise<Uint8Array> {
  checkBody(body, contentType, form);
  try {
    const image = sharp(body, { limitInputPixels: MAX_PIXELS, failOn: "truncated" });
    const { width, height } = await image.metadata();
    if (width < MIN_SIDE || height < MIN_SIDE) {
      throw new VariscaleError(
        "invalid_argument",
        `the ${form.name} is ${width} × ${height} pixels but must have at least ${MIN_SIDE} each way: ${adviceOf(form)}`,
      );
    }
    const whole = image
      .autoOrient()
      .flatten({ background: "white" })
      .toColourspace("srgb")
      .resize(form.width, form.height, { fit: "contain", background: "rgb(127,127,127)" })
      .removeAlpha();
    const { data } = await (form.colour === "grey" ? whole.greyscale().toColourspace("b-w") : whole)
      .raw()
      .toBuffer({ resolveWithObject: true });
    return data;
  } catch (cause) {
    if (cause instanceof VariscaleError) throw cause;
    const what = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
    throw new VariscaleError("invalid_argument", `can't decode the ${form.name} (${what}): ${adviceOf(form)}`, {
      cause,
    });
  }
}

/** Refuses by size, declared type and first bytes, before any decoder sees the body. */
function checkBody(body: Uint8Array, contentType: string, form: ImageForm): void {
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "" && !CONTENT_TYPES.includes(type)) {
    throw new VariscaleError(
      "invalid_argument",
      `content type \`${type.slice(0, 100)}\` is not one of ${CONTENT_TYPES.join(", ")}: ${adviceOf(form)}`,
    );
  }
  if (body.length > MAX_BYTES) {
    throw new VariscaleError(
      "invalid_argument",
      `the ${form.name} has ${body.length} bytes but at most ${MAX_BYTES} are taken: send a smaller one`,
    );
  }
  const isJpeg = body[0] === 0xff && body[1] === 0xd8 && body[2] === 0xff;
  const isPng = body[0] === 0x89 && body[1] === 0x50 && body[2] === 0x4e && body[3] === 0x47;
  if (!isJpeg && !isPng) {
    throw new VariscaleError(
      "invalid_argument",
      `the body (${body.length} bytes) starts neither as JPEG nor as PNG: ${adviceOf(form)}`,
    );
  }
}

function adviceOf({ name, subject }: ImageForm): string {
  return `send a JPEG or PNG ${name} of ${subject}`;
}
