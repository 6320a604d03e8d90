import sharp from "sharp";
import type { Random } from "../../random.ts";
import { addNoise } from "../../sensor-noise.ts";
import { type CardLabel, PHOTO_HEIGHT, PHOTO_WIDTH, type Photo, type PlacedText } from "../card.ts";
import { mapQuad, type Quad } from "../quad.ts";
import { CARD_HEIGHT, CARD_WIDTH } from "./card-background.ts";
import type { CardFace } from "./card-face.ts";
import { type Homography, invert, project, rectangleToQuad } from "./homography.ts";
import { addGlare, blur, type FloatPhoto, shake } from "./photo-effects.ts";

/** A photo of a card as a JPEG, and where every line of text stands in it. */
export interface CardPhoto {
  readonly jpeg: Uint8Array;
  readonly label: CardLabel;
}

/** How photos are taken: as in training, or one of the ways in which they may drift from that. */
export type Condition = "usual" | "dark" | "unfocused" | "glare";

/** Light on the card, of glare (of 255), standard deviation of the lens's blur (pixels) and of the sensor's noise (of 255). */
interface Conditions {
  readonly brightness: readonly [number, number];
  readonly glare: readonly [number, number];
  readonly blur: readonly [number, number];
  readonly noise: readonly [number, number];
}

const CONDITIONS: Readonly<Record<Condition, Conditions>> = {
  usual: { brightness: [0.55, 1.05], glare: [0, 75], blur: [0.4, 1], noise: [2, 7.5] },
  dark: { brightness: [0.25, 0.45], glare: [0, 20], blur: [0.4, 1], noise: [6, 11] },
  unfocused: { brightness: [0.55, 1.05], glare: [0, 75], blur: [1.2, 1.9], noise: [2, 7.5] },
  glare: { brightness: [0.75, 1.1], glare: [140, 260], blur: [0.4, 1], noise: [2, 7.5] },
};

/** Photographs a card with a hand-held phone: perspective, light, glare, focus, shake, noise and compression. */
export async function photograph(random: Random, face: CardFace, condition: Condition = "usual"): Promise<CardPhoto> {
  const { jpeg, map } = await takePhoto(random, face.svg, condition);
  return { jpeg, label: moveLabel(face.label, map) };
}

/** Photographs anything printed at the size of a card; `map` takes its pixels to the photo's. */
export async function takePhoto(
  random: Random,
  svg: string,
  condition: Condition = "usual",
): Promise<{ jpeg: Uint8Array; map: Homography }> {
  const { brightness: light, glare, blur: focus, noise } = CONDITIONS[condition];
  const card = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer();
  const map = rectangleToQuad(CARD_WIDTH, CARD_HEIGHT, drawStandpoint(random));
  const photo = lookAt(random, { width: CARD_WIDTH, height: CARD_HEIGHT, data: card }, map);
  const brightness = random.uniform(...light);
  for (let at = 0; at < photo.data.length; at++) photo.data[at] = (photo.data[at] ?? 0) * brightness;
  addGlare(photo, random, random.uniform(...glare));
  blur(photo, random.uniform(...focus));
  if (random.chance(0.2)) shake(photo, 3, random.chance(0.5) ? "horizontal" : "vertical");
  addNoise(photo.data, random, random.uniform(...noise));
  const jpeg = await sharp(Uint8ClampedArray.from(photo.data), {
    raw: { width: photo.width, height: photo.height, channels: 3 },
  })
    .jpeg({ quality: random.integer(45, 85) })
    .toBuffer();
  return { jpeg, map };
}

/** Where the corners of the card land in the photo: within ±3° and a few per cent of straight on. */
function drawStandpoint(random: Random): Quad {
  const scale = random.uniform(0.88, 1.06);
  const angle = (random.uniform(-3, 3) * Math.PI) / 180;
  const centreX = PHOTO_WIDTH / 2 + random.uniform(-14, 14);
  const centreY = PHOTO_HEIGHT / 2 + random.uniform(-14, 14);
  const halfWidth = (CARD_WIDTH / 2) * scale;
  const halfHeight = (CARD_HEIGHT / 2) * scale;
  const straight: Quad = [
    -halfWidth,
    -halfHeight,
    halfWidth,
    -halfHeight,
    halfWidth,
    halfHeight,
    -halfWidth,
    halfHeight,
  ];
  return mapQuad(straight, (x, y) => [
    centreX + x * Math.cos(angle) - y * Math.sin(angle) + random.uniform(-7, 7),
    centreY + x * Math.sin(angle) + y * Math.cos(angle) + random.uniform(-7, 7),
  ]);
}

/** The card seen through `map`, on a table top; bilinear. */
function lookAt(random: Random, card: Photo, map: Homography): FloatPhoto {
  const data = new Float32Array(PHOTO_WIDTH * PHOTO_HEIGHT * 3);
  const table = [random.uniform(30, 210), random.uniform(30, 210), random.uniform(30, 210)];
  const grainX = random.uniform(0.01, 0.2);
  const grainY = random.uniform(0.01, 0.2);
  const back = invert(map);
  for (let y = 0, at = 0; y < PHOTO_HEIGHT; y++) {
    for (let x = 0; x < PHOTO_WIDTH; x++, at += 3) {
      const [cardX, cardY] = project(back, x + 0.5, y + 0.5);
      if (cardX < 0.5 || cardY < 0.5 || cardX >= card.width - 0.5 || cardY >= card.height - 0.5) {
        const grain = 8 * Math.sin(x * grainX + Math.sin(y * grainY) * 3);
        for (let channel = 0; channel < 3; channel++) data[at + channel] = (table[channel] ?? 0) + grain;
        continue;
      }
      const left = Math.floor(cardX - 0.5);
      const top = Math.floor(cardY - 0.5);
      const right = cardX - 0.5 - left;
      const below = cardY - 0.5 - top;
      const from = (top * card.width + left) * 3;
      const under = from + card.width * 3;
      for (let channel = 0; channel < 3; channel++) {
        const upper = (card.data[from + channel] ?? 0) * (1 - right) + (card.data[from + 3 + channel] ?? 0) * right;
        const lower = (card.data[under + channel] ?? 0) * (1 - right) + (card.data[under + 3 + channel] ?? 0) * right;
        data[at + channel] = upper * (1 - below) + lower * below;
      }
    }
  }
  return { width: PHOTO_WIDTH, height: PHOTO_HEIGHT, data };
}

/** A line of text, moved from card pixels to photo pixels; corners to a tenth of a pixel. */
export function moveText({ text, quad }: PlacedText, map: Homography): PlacedText {
  const round = (value: number): number => Math.round(value * 10) / 10;
  return {
    text,
    quad: mapQuad(quad, (x, y) => {
      const [photoX, photoY] = project(map, x, y);
      return [round(photoX), round(photoY)];
    }),
  };
}

function moveLabel(label: CardLabel, map: Homography): CardLabel {
  const { surname, given, birth, number, expiry } = label.fields;
  return {
    fields: {
      surname: moveText(surname, map),
      given: moveText(given, map),
      birth: moveText(birth, map),
      number: moveText(number, map),
      expiry: moveText(expiry, map),
    },
    others: label.others.map(other => moveText(other, map)),
  };
}
