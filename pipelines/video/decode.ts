import { decodeImage, type ImageForm } from "../decode-image.ts";
import { FRAME_HEIGHT, FRAME_WIDTH, type Frame } from "./frame.ts";

const FORM: ImageForm = {
  name: "frame",
  subject: "a street",
  width: FRAME_WIDTH,
  height: FRAME_HEIGHT,
  colour: "grey",
};

/**
 * Decodes a frame to `FRAME_WIDTH` × `FRAME_HEIGHT` grey pixels; other proportions get grey bars.
 * @throws VariscaleError `invalid_argument` for anything but a whole JPEG or PNG of sensible size.
 */
export async function decodeFrame(body: Uint8Array, contentType: string): Promise<Frame> {
  return { width: FRAME_WIDTH, height: FRAME_HEIGHT, data: await decodeImage(body, contentType, FORM) };
}
