import type { Box } from "../box.ts";
import type { Frame } from "../frame.ts";

/** Pixels of an object as the classification stage takes it, each way. */
export const CROP_SIDE = 64;

/** What is seen around the longer side of an object, in parts of it: boxes are not exact. */
const MARGIN = 0.1;

/** Smaller boxes hold nothing to look at. In frame pixels. */
const MIN_SIDE = 4;

/**
 * Cuts the square around a box out of a frame, scaled to `CROP_SIDE` × `CROP_SIDE`; bilinear. Beyond the frame its edge is
 * repeated. Proportions stay as they are: they tell a bus from a pedestrian.
 */
export function cropObject(frame: Frame, box: Box): Uint8Array {
  const crop = new Uint8Array(CROP_SIDE * CROP_SIDE);
  const side = Math.max(MIN_SIDE, box[2] - box[0], box[3] - box[1]) * (1 + 2 * MARGIN);
  const step = side / CROP_SIDE;
  const left = (box[0] + box[2] - side) / 2 + step / 2 - 0.5;
  const top = (box[1] + box[3] - side) / 2 + step / 2 - 0.5;
  const { data, width } = frame;
  const lastX = width - 1.001;
  const lastY = frame.height - 1.001;
  for (let row = 0, at = 0; row < CROP_SIDE; row++) {
    const y = Math.min(lastY, Math.max(0, top + row * step));
    const upper = (y | 0) * width;
    const below = y - (y | 0);
    for (let column = 0; column < CROP_SIDE; column++, at++) {
      const x = Math.min(lastX, Math.max(0, left + column * step));
      const from = upper + (x | 0);
      const right = x - (x | 0);
      const first = data[from] ?? 0;
      const third = data[from + width] ?? 0;
      const above = first + ((data[from + 1] ?? 0) - first) * right;
      const under = third + ((data[from + width + 1] ?? 0) - third) * right;
      crop[at] = above + (under - above) * below + 0.5;
    }
  }
  return crop;
}
