import type { createRequire } from "node:module";

/** One character's outline. */
export interface Glyph {
  readonly advanceWidth?: number;
  getPath(x: number, y: number, size: number): GlyphPath;
}

interface GlyphPath {
  readonly commands: readonly unknown[];
  toPathData(decimals: number): string;
  getBoundingBox(): { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number };
}

/** What we use of opentype.js's fonts. Its own types would bring the browser's globals into the whole project. */
export interface Typeface {
  readonly unitsPerEm: number;
  charToGlyph(character: string): Glyph;
  getKerningValue(left: Glyph, right: Glyph): number;
}

/** Reads the typeface in a TTF file of an installed package. */
export function loadTypeface(require: ReturnType<typeof createRequire>, file: string): Typeface {
  const opentype = require("opentype.js") as { loadSync(path: string): Typeface };
  return opentype.loadSync(require.resolve(file));
}
