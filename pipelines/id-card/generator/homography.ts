import type { Quad } from "../quad.ts";

/** A projective map of the plane: the nine entries of its matrix, row-major, the last one 1. */
export type Homography = readonly [number, number, number, number, number, number, number, number, number];

/** The projective map that takes the rectangle (0, 0)–(width, height) to `quad` (P. Heckbert 1989, §2.2.3). */
export function rectangleToQuad(width: number, height: number, quad: Quad): Homography {
  const [x0, y0, x1, y1, x2, y2, x3, y3] = quad;
  const dx1 = x1 - x2;
  const dx2 = x3 - x2;
  const dy1 = y1 - y2;
  const dy2 = y3 - y2;
  const sx = x0 - x1 + x2 - x3;
  const sy = y0 - y1 + y2 - y3;
  const determinant = dx1 * dy2 - dx2 * dy1;
  const g = (sx * dy2 - dx2 * sy) / determinant;
  const h = (dx1 * sy - sx * dy1) / determinant;
  return [
    (x1 - x0 + g * x1) / width,
    (x3 - x0 + h * x3) / height,
    x0,
    (y1 - y0 + g * y1) / width,
    (y3 - y0 + h * y3) / height,
    y0,
    g / width,
    h / height,
    1,
  ];
}

/** The map the other way (adjugate; the scale cancels in `project`). */
export function invert(map: Homography): Homography {
  const [a, b, c, d, e, f, g, h, i] = map;
  const last = a * e - b * d;
  return [
    (e * i - f * h) / last,
    (c * h - b * i) / last,
    (b * f - c * e) / last,
    (f * g - d * i) / last,
    (a * i - c * g) / last,
    (c * d - a * f) / last,
    (d * h - e * g) / last,
    (b * g - a * h) / last,
    1,
  ];
}

/** Where a point goes. */
export function project(map: Homography, x: number, y: number): [number, number] {
  const depth = map[6] * x + map[7] * y + map[8];
  return [(map[0] * x + map[1] * y + map[2]) / depth, (map[3] * x + map[4] * y + map[5]) / depth];
}
