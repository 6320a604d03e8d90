import type { Bounds } from "../quad.ts";
import type { Glyph, Typeface } from "./typeface.ts";

/** A line of text as SVG path data, with the rectangle of its ink. */
export interface TextPath {
  readonly data: string;
  readonly ink: Bounds;
}

/** Card printers set words further apart than books do. */
const WORD_SPACE = 1.5;

/**
 * Sets `text` with its baseline at (x, y), `size` pixels to the em and `spacing` pixels of extra tracking.
 * Glyph by glyph, so that no ligature hides a letter from the label.
 */
export function textPath(font: Typeface, text: string, x: number, y: number, size: number, spacing = 0): TextPath {
  const scale = size / font.unitsPerEm;
  const parts: string[] = [];
  const ink = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  let pen = x;
  let previous: Glyph | undefined;
  for (const character of text) {
    const glyph = font.charToGlyph(character);
    if (previous) pen += font.getKerningValue(previous, glyph) * scale;
    const path = glyph.getPath(pen, y, size);
    if (path.commands.length > 0) {
      parts.push(path.toPathData(2));
      const box = path.getBoundingBox();
      ink.left = Math.min(ink.left, box.x1);
      ink.top = Math.min(ink.top, box.y1);
      ink.right = Math.max(ink.right, box.x2);
      ink.bottom = Math.max(ink.bottom, box.y2);
    }
    const advance = (glyph.advanceWidth ?? font.unitsPerEm / 2) * scale;
    pen += (character === " " ? WORD_SPACE * advance : advance) + spacing;
    previous = glyph;
  }
  return { data: parts.join(""), ink };
}
