/** A drawing in its own units, which fills `width` × `height` to its edges. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** SVG elements. */
  readonly svg: string;
}

/** A grey level as a colour; what is beyond black or white is black or white. */
function grey(level: number): string {
  const value = Math.round(Math.min(255, Math.max(0, level)));
  return `rgb(${value},${value},${value})`;
}

export function rect(x: number, y: number, width: number, height: number, level: number, round = 0): string {
  return `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}" rx="${fixed(round)}" fill="${grey(level)}"/>`;
}

export function ellipse(x: number, y: number, radiusX: number, radiusY: number, level: number): string {
  return `<ellipse cx="${fixed(x)}" cy="${fixed(y)}" rx="${fixed(radiusX)}" ry="${fixed(radiusY)}" fill="${grey(level)}"/>`;
}

/** @param points x and y in turn. */
export function polygon(points: readonly number[], level: number): string {
  return `<polygon points="${points.map(fixed).join(" ")}" fill="${grey(level)}"/>`;
}

/** A line through all points. @param points x and y in turn. */
export function stroke(points: readonly number[], width: number, level: number): string {
  return `<polyline points="${points.map(fixed).join(" ")}" fill="none" stroke="${grey(level)}" stroke-width="${fixed(width)}" stroke-linecap="round" stroke-linejoin="round"/>`;
}

export function ring(x: number, y: number, radius: number, width: number, level: number): string {
  return `<circle cx="${fixed(x)}" cy="${fixed(y)}" r="${fixed(radius)}" fill="none" stroke="${grey(level)}" stroke-width="${fixed(width)}"/>`;
}

function fixed(value: number): string {
  return value.toFixed(2);
}
