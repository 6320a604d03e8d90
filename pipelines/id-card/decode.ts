import { decodeImage, type ImageForm } from "../decode-image.ts";
import { PHOTO_HEIGHT, PHOTO_WIDTH, type Photo } from "./card.ts";

const FORM: ImageForm = {
  name: "photo",
  subject: "a card",
  width: PHOTO_WIDTH,
  height: PHOTO_HEIGHT,
  colour: "rgb",
};

/**
 * Decodes a photo of a card to `PHOTO_WIDTH` × `PHOTO_HEIGHT` RGB; other proportions get grey bars.
 * @throws VariscaleError `invalid_argument` for anything but a whole JPEG or PNG of sensible size.
 */
export async function decodePhoto(body: Uint8Array, contentType: string): Promise<Photo> {
  return { width: PHOTO_WIDTH, height: PHOTO_HEIGHT, data: await decodeImage(body, contentType, FORM) };
}
