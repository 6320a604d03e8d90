import type { Photo } from "../card.ts";
import type { Quad } from "../quad.ts";

/** Pixels of a line of text as the recognition stage takes it. */
export const LINE_WIDTH = 320;
export const LINE_HEIGHT = 48;

/** What stands right of a line that is shorter than the input: mid grey, which the recognisers see as zero. */
const PADDING = 127;

/** Narrower crops hold no text; wider lines are squeezed. */
const MIN_WIDTH = 24;

/**
 * Cuts the quad out of a photo, straightened and scaled to the height of a line; bilinear.
 * The result is interleaved RGB, `LINE_HEIGHT` × `LINE_WIDTH`.
 */
export function cropLine(photo: Photo, quad: Quad): Uint8Array {
  const line = new Uint8Array(LINE_HEIGHT * LINE_WIDTH * 3).fill(PADDING);
  const width = lineWidth(quad);
  const [x0, y0, x1, y1, x2, y2, x3, y3] = quad;
  const { data } = photo;
  const stride = photo.width * 3;
  const lastX = photo.width - 1.001;
  const lastY = photo.height - 1.001;
  for (let row = 0; row < LINE_HEIGHT; row++) {
    const down = (row + 0.5) / LINE_HEIGHT;
    const startX = x0 + (x3 - x0) * down - 0.5;
    const startY = y0 + (y3 - y0) * down - 0.5;
    const stepX = (x1 + (x2 - x1) * down - 0.5 - startX) / width;
    const stepY = (y1 + (y2 - y1) * down - 0.5 - startY) / width;
    let to = row * LINE_WIDTH * 3;
    for (let column = 0; column < width; column++, to += 3) {
      const x = Math.min(lastX, Math.max(0, startX + stepX * (column + 0.5)));
      const y = Math.min(lastY, Math.max(0, startY + stepY * (column + 0.5)));
      const left = x | 0;
      const top = y | 0;
      const right = x - left;
      const below = y - top;
      const from = top * stride + left * 3;
      for (let channel = from; channel < from + 3; channel++) {
        const upperLeft = data[channel] ?? 0;
        const lowerLeft = data[channel + stride] ?? 0;
        const upper = upperLeft + ((data[channel + 3] ?? 0) - upperLeft) * right;
        const lower = lowerLeft + ((data[channel + stride + 3] ?? 0) - lowerLeft) * right;
        line[to + channel - from] = upper + (lower - upper) * below + 0.5;
      }
    }
  }
  return line;
}

/** How many of the line's columns hold the crop. */
function lineWidth(quad: Quad): number {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = quad;
  const length = (Math.hypot(x1 - x0, y1 - y0) + Math.hypot(x2 - x3, y2 - y3)) / 2;
  const height = (Math.hypot(x3 - x0, y3 - y0) + Math.hypot(x2 - x1, y2 - y1)) / 2;
  if (!(height > 0)) return MIN_WIDTH;
  return Math.round(Math.min(LINE_WIDTH, Math.max(MIN_WIDTH, (LINE_HEIGHT * length) / height)));
}
