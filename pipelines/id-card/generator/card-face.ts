import type { Random } from "../../random.ts";
import { CAPTIONS, type CardFields, type CardLabel, FIELDS, type Field, type PlacedText } from "../card.ts";
import { CARD_HEIGHT, CARD_WIDTH, drawBackground, drawColour, drawPortrait } from "./card-background.ts";
import type { Typefaces } from "./fonts.ts";
import { textPath } from "./text-path.ts";
import type { Typeface } from "./typeface.ts";

/** A card as it leaves the printer: a picture and where every line of text stands, in card pixels. */
export interface CardFace {
  readonly svg: string;
  readonly label: CardLabel;
}

/** Where the caption of each field starts, and where the portrait stands. */
interface Layout {
  readonly portrait: readonly [number, number];
  readonly fields: Readonly<Record<Field, readonly [number, number]>>;
}

const LAYOUTS: readonly Layout[] = [
  {
    portrait: [16, 60],
    fields: { surname: [170, 62], given: [170, 112], birth: [170, 162], expiry: [370, 162], number: [170, 212] },
  },
  {
    portrait: [410, 60],
    fields: { surname: [22, 62], given: [22, 112], birth: [22, 162], expiry: [222, 162], number: [22, 212] },
  },
  {
    portrait: [16, 70],
    fields: { number: [170, 60], surname: [170, 106], given: [170, 152], birth: [170, 198], expiry: [360, 198] },
  },
  {
    portrait: [16, 64],
    fields: { surname: [170, 64], number: [376, 64], given: [170, 118], birth: [170, 172], expiry: [170, 226] },
  },
];

const HEADINGS = [
  "REPUBLIC OF UTOPIA",
  "KINGDOM OF RURITANIA",
  "FEDERATION OF ARCADIA",
  "IDENTITY CARD",
  "RESIDENCE PERMIT",
];

/** Draws the face of a card with these fields: layout, typefaces, colours and background are random. */
export function drawFace(random: Random, typefaces: Typefaces, fields: CardFields): CardFace {
  const layout = random.pick(LAYOUTS);
  const shiftX = random.integer(-6, 6);
  const shiftY = random.integer(-4, 8);
  const valueFont = random.pick(typefaces.values);
  const dataFont = random.chance(0.3) ? random.pick(typefaces.values) : valueFont;
  const captionFont = random.pick(typefaces.captions);
  const ink = drawColour(random, 0, 95);
  const captionInk = drawColour(random, 30, 95);
  const size = random.uniform(14.5, 19.5);
  const captionSize = random.uniform(11, 13);
  const drop = size + random.uniform(5, 8);
  const spacing = random.chance(0.25) ? random.uniform(0.3, 1.4) : 0;
  const parts = [
    drawBackground(random),
    drawPortrait(random, layout.portrait[0] + shiftX, layout.portrait[1] + shiftY),
  ];
  const others: PlacedText[] = [];
  const placed: Partial<Record<Field, PlacedText>> = {};

  const barInk = drawColour(random, 15, 110);
  parts.push(`<rect width="${CARD_WIDTH}" height="40" fill="${barInk}"/>`);
  const heading = setLine(random.pick(typefaces.values), random.pick(HEADINGS), 16, 27, random.uniform(15, 19), 0);
  parts.push(fill(heading.data, "rgb(240,240,240)"));
  others.push(heading.placed);

  for (const field of FIELDS) {
    const [x, y] = layout.fields[field];
    const caption = setLine(captionFont, random.pick(CAPTIONS[field]), x + shiftX, y + shiftY + 10, captionSize, 0);
    const font = field === "surname" || field === "given" ? valueFont : dataFont;
    const value = setLine(font, fields[field], x + shiftX, y + shiftY + 10 + drop, size, spacing);
    parts.push(fill(caption.data, captionInk), fill(value.data, ink));
    others.push(caption.placed);
    placed[field] = value.placed;
  }
  return { svg: svgOf(parts), label: { fields: placed as CardLabel["fields"], others } };
}

/** A line of text as path data, and where its ink stands. */
export function setLine(
  font: Typeface,
  text: string,
  x: number,
  baseline: number,
  size: number,
  spacing: number,
): { readonly data: string; readonly placed: PlacedText } {
  const { data, ink } = textPath(font, text, x, baseline, size, spacing);
  const { left, top, right, bottom } = ink;
  return { data, placed: { text, quad: [left, top, right, top, right, bottom, left, bottom] } };
}

/** Path data in one colour. */
export function fill(data: string, colour: string): string {
  return `<path fill="${colour}" d="${data}"/>`;
}

/** The SVG document of a card. */
export function svgOf(parts: readonly string[]): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${CARD_WIDTH}" height="${CARD_HEIGHT}">` + `${parts.join("")}</svg>`
  );
}
