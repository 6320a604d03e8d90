import type { Random } from "../../random.ts";
import { CAPTIONS, FIELDS, type PlacedText } from "../card.ts";
import { drawBackground, drawColour } from "./card-background.ts";
import { fill, setLine, svgOf } from "./card-face.ts";
import { drawDate, drawGivenNames, drawNumber, drawSurname } from "./card-text.ts";
import type { Typefaces } from "./fonts.ts";

/** A card full of unrelated lines, to train recognisers on: printed as cards are, but ten times the text. */
export interface LineSheet {
  readonly svg: string;
  readonly lines: readonly PlacedText[];
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LETTERS_AND_DIGITS = `${LETTERS}0123456789`;

/** Draws a sheet: two columns, a typeface and a colour for each line. */
export function drawSheet(random: Random, typefaces: Typefaces): LineSheet {
  const parts = [drawBackground(random)];
  const lines: PlacedText[] = [];
  for (const left of [14, 290]) {
    let y = random.uniform(8, 20);
    while (y < 318) {
      const caption = random.chance(0.22);
      const font = random.pick(caption ? typefaces.captions : typefaces.familiar);
      const size = caption ? random.uniform(10.5, 13) : random.uniform(14, 20);
      const ink = caption ? drawColour(random, 30, 95) : drawColour(random, 0, 95);
      const spacing = random.chance(0.25) ? random.uniform(0.3, 1.4) : 0;
      const text = caption ? random.pick(CAPTIONS[random.pick(FIELDS)]) : drawText(random);
      const { data, placed } = setLine(font, text, left + random.uniform(0, 24), y + size, size, spacing);
      y += size + random.uniform(7, 13);
      if (placed.quad[2] > left + 264) continue;
      parts.push(fill(data, ink));
      lines.push(placed);
    }
  }
  return { svg: svgOf(parts), lines };
}

/** The text of a line: what cards hold, and as often letters in no order, so that no names are learnt by heart. */
function drawText(random: Random): string {
  const kind = random.next();
  if (kind < 0.2) return drawNumber(random);
  if (kind < 0.4) return drawDate(random, 1930, 2040);
  if (kind < 0.52) return drawSurname(random);
  if (kind < 0.64) return drawGivenNames(random);
  if (kind < 0.7) return drawLetters(random, LETTERS_AND_DIGITS, random.integer(5, 11));
  const word = drawLetters(random, LETTERS, random.integer(3, 9));
  return random.chance(0.4) ? `${word}, ${drawLetters(random, LETTERS, random.integer(2, 7))}` : word;
}

function drawLetters(random: Random, alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[random.integer(0, alphabet.length - 1)] ?? "").join("");
}
