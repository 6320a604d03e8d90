import sharp from "sharp";
import { createRandom, type Random } from "../../random.ts";
import { addNoise } from "../../sensor-noise.ts";
import type { Box } from "../box.ts";
import {
  CLASSES,
  FRAME_HEIGHT,
  FRAME_WIDTH,
  type FrameLabel,
  type LabelledObject,
  type ObjectClass,
} from "../frame.ts";
import { ROAD_USERS } from "./road-users.ts";
import type { Drawing } from "./shapes.ts";
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

/** Pixels from frame to frame of a sequence. */
const MOST_SPEED = 1.6;

/** Draws and films the frame of a seed; the same seed and scene give the same frame. */
export async function renderFrame(seed: number, scene: Scene = "day"): Promise<RenderedFrame> {
  const [frame] = await renderSequence(seed, scene, 1);
  return frame as RenderedFrame;
}

/**
 * The same of frames that follow each other: the objects of the first one go on to the left or right at speeds of their own, none leaves the
 * frame or hides another. Light and lens stay as they are, noise is each frame's own.
 */
export async function renderSequence(seed: number, scene: Scene, count: number): Promise<RenderedFrame[]> {
  const random = createRandom(seed);
  const conditions = CONDITIONS[scene];
  const street = drawStreet(random);
  const objects = placeObjects(random, conditions, count);
  const foreground = drawForeground(random);
  const camera = drawCamera(random, conditions);
  const frames: RenderedFrame[] = [];
  for (let i = 0; i < count; i++) {
    const svg = objects.map(object => drawAt(object, i * object.speed)).join("");
    const whole = `<svg xmlns="http://www.w3.org/2000/svg" width="${FRAME_WIDTH}" height="${FRAME_HEIGHT}">${street}${svg}${foreground}</svg>`;
    const label = { objects: objects.map(object => labelAt(object, i * object.speed)) };
    frames.push({ jpeg: await film(random, whole, camera), label });
  }
  return frames;
}

/** An object as it stands on the first frame. */
interface PlacedObject {
  readonly class: ObjectClass;
  readonly drawing: Drawing;
  readonly box: Box;
  readonly isTurned: boolean;
  /** To the right, pixels from frame to frame. */
  readonly speed: number;
  /** All that it passes over. */
  readonly path: Box;
}

function placeObjects(random: Random, { size }: Conditions, frames: number): PlacedObject[] {
  const objects: PlacedObject[] = [];
  for (let left = random.integer(1, MAX_OBJECTS); left > 0; left--) {
    const name = random.pick(CLASSES);
    const drawing = ROAD_USERS[name](random);
    const scale = random.uniform(...size) / Math.sqrt(drawing.width * drawing.height);
    const width = drawing.width * scale * random.uniform(0.92, 1.08);
    const height = drawing.height * scale;
    const speed = frames > 1 ? random.uniform(-MOST_SPEED, MOST_SPEED) : 0;
    const way = speed * (frames - 1);
    const path = findPlace(random, width + Math.abs(way), height, objects);
    if (!path) continue;
    const x = path[0] - Math.min(0, way);
    const isTurned = !random.chance(0.5);
    objects.push({
      class: name,
      drawing,
      box: [x, path[1], x + width, path[3]],
      isTurned: frames > 1 ? speed < 0 : isTurned,
      speed,
      path,
    });
  }
  return objects;
}

function drawAt({ drawing, box, isTurned }: PlacedObject, way: number): string {
  const [left, top, right, bottom] = box;
  const across = (right - left) / drawing.width;
  const scale = (bottom - top) / drawing.height;
  const [x, turned] = isTurned ? [right + way, -across] : [left + way, across];
  const place = `translate(${x.toFixed(2)} ${top.toFixed(2)}) scale(${turned.toFixed(4)} ${scale.toFixed(4)})`;
  return `<g transform="${place}">${drawing.svg}</g>`;
}

function labelAt({ class: name, box: [left, top, right, bottom] }: PlacedObject, way: number): LabelledObject {
  const rounded = [left + way, top, right + way, bottom].map(edge => Math.round(edge * 10) / 10);
  return { class: name, box: rounded as unknown as Box };
}

/** Somewhere in the frame where it hides none of the others, or nowhere. */
function findPlace(random: Random, width: number, height: number, others: readonly PlacedObject[]): Box | undefined {
  for (let i = 0; i < TRIES; i++) {
    const left = random.uniform(1, FRAME_WIDTH - 1 - width);
    const top = random.uniform(FRAME_HEIGHT * 0.12, FRAME_HEIGHT - 1 - height);
    const box: Box = [left, top, left + width, top + height];
    if (others.every(other => isApart(box, other.path))) return box;
  }
  return undefined;
}

function isApart(a: Box, b: Box): boolean {
  const gap = 1;
  return a[2] + gap < b[0] || b[2] + gap < a[0] || a[3] + gap < b[1] || b[3] + gap < a[1];
}

/** What of the conditions stays as it is for a sequence. */
interface Camera {
  readonly blur: number;
  readonly light: number;
  readonly haze: number;
  readonly contrast: number;
  readonly noise: number;
}

function drawCamera(random: Random, conditions: Conditions): Camera {
  const blur = random.uniform(...conditions.blur);
  const light = random.uniform(...conditions.light);
  const haze = random.uniform(0, 25) * light;
  return { blur, light, haze, contrast: random.uniform(0.65, 1), noise: random.uniform(...conditions.noise) };
}

/** Lens, light, sensor and compression. */
async function film(random: Random, svg: string, { blur, light, haze, contrast, noise }: Camera): Promise<Uint8Array> {
  const { data } = await sharp(Buffer.from(svg))
    .removeAlpha()
    .extractChannel(0)
    .blur(blur)
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixels = Float32Array.from(data, value => (value * contrast + haze) * light);
  addNoise(pixels, random, noise);
  return sharp(Uint8ClampedArray.from(pixels), { raw: { width: FRAME_WIDTH, height: FRAME_HEIGHT, channels: 1 } })
    .jpeg({ quality: random.integer(55, 85) })
    .toBuffer();
}
