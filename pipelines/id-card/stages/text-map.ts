import { PHOTO_WIDTH } from "../card.ts";
import type { Quad } from "../quad.ts";

/** Size of the detectors' map: half the photo each way. */
export const MAP_WIDTH = 320;
export const MAP_HEIGHT = 224;

/** Photo pixels per pixel of the map. */
const SCALE = PHOTO_WIDTH / MAP_WIDTH;

/** From here on a pixel of the map belongs to text: 0.3 of 255, as DB's authors have it. */
const PIXEL_THRESHOLD = 77;

/** Mean probability below which a region is no text: 0.5 of 255. */
const REGION_THRESHOLD = 128;

/**
 * DB learns text regions shrunk by area · (1 − r²) / perimeter; growing them by area · ratio / perimeter undoes it
 * (Liao et al. 2020, "Real-time scene text detection with differentiable binarization", §3.5). The usual 1.5 is for
 * polygons traced at 0.3; coarse maps blur outwards, and recognition is the better the less there is around a line.
 */
const UNCLIP_RATIO = 1.2;

/** Regions that are thinner are specks. In map pixels. */
const MIN_THICKNESS = 2;

/** Text on a card that is held straight is not steeper. */
const MAX_SLOPE = Math.tan(Math.PI / 12);

/** A region of text and how sure the detector is of it. */
export interface TextRegion {
  readonly quad: Quad;
  /** Mean probability of its pixels, 0 to 1. */
  readonly score: number;
}

/** Sums over the pixels of a connected region, and the pixels themselves. */
interface Component {
  readonly pixels: Int32Array;
  readonly sum: number;
}

/** The regions of text in a detector's map (bytes, 255 for certain), in photo pixels. */
export function findTextRegions(map: Uint8Array): TextRegion[] {
  const seen = new Uint8Array(map.length);
  const stack = new Int32Array(map.length);
  const regions: TextRegion[] = [];
  for (let start = 0; start < map.length; start++) {
    if (seen[start] || (map[start] ?? 0) < PIXEL_THRESHOLD) continue;
    const component = flood(map, seen, stack, start);
    const mean = component.sum / component.pixels.length;
    if (mean < REGION_THRESHOLD) continue;
    const quad = enclose(component.pixels);
    if (quad) regions.push({ quad, score: mean / 255 });
  }
  return regions;
}

/** Everything that hangs together with `start` by edges or corners; `stack` is used as both queue and result. */
function flood(map: Uint8Array, seen: Uint8Array, stack: Int32Array, start: number): Component {
  let length = 1;
  let sum = 0;
  stack[0] = start;
  seen[start] = 1;
  for (let next = 0; next < length; next++) {
    const at = stack[next] ?? 0;
    sum += map[at] ?? 0;
    const x = at % MAP_WIDTH;
    const firstX = x > 0 ? -1 : 0;
    const lastX = x < MAP_WIDTH - 1 ? 1 : 0;
    for (let row = at - MAP_WIDTH; row <= at + MAP_WIDTH; row += MAP_WIDTH) {
      if (row < 0 || row >= map.length) continue;
      for (let neighbour = row + firstX; neighbour <= row + lastX; neighbour++) {
        if (seen[neighbour] || (map[neighbour] ?? 0) < PIXEL_THRESHOLD) continue;
        seen[neighbour] = 1;
        stack[length++] = neighbour;
      }
    }
  }
  return { pixels: stack.slice(0, length), sum };
}

/** The rectangle along the slope of the pixels, grown by DB's distance; none for specks. */
function enclose(pixels: Int32Array): Quad | undefined {
  const slope = slopeOf(pixels);
  const length = Math.hypot(1, slope);
  const cos = 1 / length;
  const sin = slope / length;
  let [minAlong, maxAlong, minAcross, maxAcross] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const at of pixels) {
    const x = (at % MAP_WIDTH) + 0.5;
    const y = Math.floor(at / MAP_WIDTH) + 0.5;
    const along = x * cos + y * sin;
    const across = y * cos - x * sin;
    minAlong = Math.min(minAlong, along);
    maxAlong = Math.max(maxAlong, along);
    minAcross = Math.min(minAcross, across);
    maxAcross = Math.max(maxAcross, across);
  }
  const width = maxAlong - minAlong + 1;
  const height = maxAcross - minAcross + 1;
  if (Math.min(width, height) < MIN_THICKNESS) return undefined;
  const grow = (width * height * UNCLIP_RATIO) / (2 * (width + height)) + 0.5;
  const corner = (along: number, across: number): [number, number] => [
    (along * cos - across * sin) * SCALE,
    (along * sin + across * cos) * SCALE,
  ];
  return [
    ...corner(minAlong - grow, minAcross - grow),
    ...corner(maxAlong + grow, minAcross - grow),
    ...corner(maxAlong + grow, maxAcross + grow),
    ...corner(minAlong - grow, maxAcross + grow),
  ];
}

/** Slope of the line through the pixels by least squares; zero where they are not clearly longer than high. */
function slopeOf(pixels: Int32Array): number {
  let sumX = 0;
  let sumY = 0;
  for (const at of pixels) {
    sumX += at % MAP_WIDTH;
    sumY += Math.floor(at / MAP_WIDTH);
  }
  const meanX = sumX / pixels.length;
  const meanY = sumY / pixels.length;
  let [xx, xy, yy] = [0, 0, 0];
  for (const at of pixels) {
    const x = (at % MAP_WIDTH) - meanX;
    const y = Math.floor(at / MAP_WIDTH) - meanY;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  if (xx <= 9 * yy) return 0;
  return Math.max(-MAX_SLOPE, Math.min(MAX_SLOPE, xy / xx));
}
