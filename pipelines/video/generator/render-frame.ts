import sharp from "sharp";
import { createRandom, type Random } from "../../random.ts";
import { addNoise } from "../../sensor-noise.ts";
import type { Box } from "../box.ts";
import { CLASSES, FRAME_HEIGHT, FRAME_WIDTH, type FrameLabel, type LabelledObject } from "../frame.ts";
import { ROAD_USERS } from "./road-users.ts";
import { drawForeground, drawStreet } from "./street.ts";

/** A frame as a JPEG, and what is on it. */
export interface RenderedFrame {
  readonly jpeg: Uint8Array;
  readonly label: FrameLabel;
}

/** How it looks before the camera: as in training, or one of the ways in which it may drift from that. */
export const SCENES = ["day", "night", "blur", "small"] as const;

export type Scene = (typeof SCENES)[number];

/** Light on the sensor, standard deviation of its noise (of 255) and of the lens's blur (pixels), side of an object (pixels). */
interface Conditions {
  readonly light: readonly [number, number];
  readonly noise: readonly [number, number];
  readonly blur: readonly [number, number];
  readonly size: readonly [number, number];
}

const DAY: Conditions = { light: [0.65, 1.1], noise: [4, 14], blur: [0.35, 0.8], size: [17, 42] };

const CONDITIONS: Readonly<Record<Scene, Conditions>> = {
  day: DAY,
  night: { ...DAY, light: [0.2, 0.4], noise: [10, 18] },
  blur: { ...DAY, blur: [1.3, 2.4] },
  small: { ...DAY, size: [11, 19] },
};

const MAX_OBJECTS = 6;
/** Places that are tried for an object before the frame stays with fewer. */
const TRIES = 20;

/** Draws and films the frame of a seed; the same seed and scene give the same frame. */
export async function renderFrame(seed: number, scene: Scene = "day"): Promise<RenderedFrame> {
  const random = createRandom(seed);
  const conditions = CONDITIONS[scene];
  const street = drawStreet(random);
  const { svg, objects } = drawObjects(random, conditions);
  const whole = `<svg xmlns="http://www.w3.org/2000/svg" width="${FRAME_WIDTH}" height="${FRAME_HEIGHT}">${street}${svg}${drawForeground(random)}</svg>`;
  return { jpeg: await film(random, whole, conditions), label: { objects } };
}

function drawObjects(
  random: Random,
  { size }: Conditions,
): { readonly svg: string; readonly objects: LabelledObject[] } {
  const parts: string[] = [];
  const objects: LabelledObject[] = [];
  for (let left = random.integer(1, MAX_OBJECTS); left > 0; left--) {
    const name = random.pick(CLASSES);
    const drawing = ROAD_USERS[name](random);
    const scale = random.uniform(...size) / Math.sqrt(drawing.width * drawing.height);
    const width = drawing.width * scale * random.uniform(0.92, 1.08);
    const height = drawing.height * scale;
    const box = findPlace(random, width, height, objects);
    if (!box) continue;
    const [x, y] = box;
    const across = width / drawing.width;
    const place = random.chance(0.5)
      ? `translate(${x.toFixed(2)} ${y.toFixed(2)}) scale(${across.toFixed(4)} ${scale.toFixed(4)})`
      : `translate(${(x + width).toFixed(2)} ${y.toFixed(2)}) scale(${(-across).toFixed(4)} ${scale.toFixed(4)})`;
    parts.push(`<g transform="${place}">${drawing.svg}</g>`);
    const rounded = box.map(edge => Math.round(edge * 10) / 10);
    objects.push({ class: name, box: rounded as unknown as Box });
  }
  return { svg: parts.join(""), objects };
}

/** Somewhere in the frame where it hides none of the others, or nowhere. */
function findPlace(random: Random, width: number, height: number, others: readonly LabelledObject[]): Box | undefined {
  for (let i = 0; i < TRIES; i++) {
    const left = random.uniform(1, FRAME_WIDTH - 1 - width);
    const top = random.uniform(FRAME_HEIGHT * 0.12, FRAME_HEIGHT - 1 - height);
    const box: Box = [left, top, left + width, top + height];
    if (others.every(other => isApart(box, other.box))) return box;
  }
  return undefined;
}

function isApart(a: Box, b: Box): boolean {
  const gap = 1;
  return a[2] + gap < b[0] || b[2] + gap < a[0] || a[3] + gap < b[1] || b[3] + gap < a[1];
}

/** Lens, light, sensor and compression. */
async function film(random: Random, svg: string, conditions: Conditions): Promise<Uint8Array> {
  const { data } = await sharp(Buffer.from(svg))
    .removeAlpha()
    .extractChannel(0)
    .blur(random.uniform(...conditions.blur))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const light = random.uniform(...conditions.light);
  const haze = random.uniform(0, 25) * light;
  const contrast = random.uniform(0.65, 1);
  const pixels = Float32Array.from(data, value => (value * contrast + haze) * light);
  addNoise(pixels, random, random.uniform(...conditions.noise));
  return sharp(Uint8ClampedArray.from(pixels), { raw: { width: FRAME_WIDTH, height: FRAME_HEIGHT, channels: 1 } })
    .jpeg({ quality: random.integer(55, 85) })
    .toBuffer();
}
