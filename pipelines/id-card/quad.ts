/** Four corners in pixels, clockwise from the top left as the text reads: x0, y0, x1, y1, x2, y2, x3, y3. */
export type Quad = readonly [number, number, number, number, number, number, number, number];

/** The smallest upright rectangle around a quad, in pixels. */
export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The upright rectangle around a quad. */
export function boundsOf(quad: Quad): Bounds {
  return {
    left: Math.min(quad[0], quad[2], quad[4], quad[6]),
    top: Math.min(quad[1], quad[3], quad[5], quad[7]),
    right: Math.max(quad[0], quad[2], quad[4], quad[6]),
    bottom: Math.max(quad[1], quad[3], quad[5], quad[7]),
  };
}

/** The same quad with every corner given by `move`. */
export function mapQuad(quad: Quad, move: (x: number, y: number) => readonly [number, number]): Quad {
  return [...move(quad[0], quad[1]), ...move(quad[2], quad[3]), ...move(quad[4], quad[5]), ...move(quad[6], quad[7])];
}
