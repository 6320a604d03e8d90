import { type Box, overlap } from "../box.ts";
import { FRAME_HEIGHT, FRAME_WIDTH } from "../frame.ts";

/** Size of the detectors' maps: a quarter of the frame each way. */
export const MAP_WIDTH = 80;
export const MAP_HEIGHT = 60;
const CELLS = MAP_WIDTH * MAP_HEIGHT;

/** Frame pixels per cell of the map. */
const SCALE = FRAME_WIDTH / MAP_WIDTH;

/** From here on a peak of the map is an object. */
const THRESHOLD = 0.4;

/** Of two boxes that overlap more, the surer one stays. */
const SAME_OBJECT = 0.45;

/** Smaller boxes are specks. In frame pixels. */
const MIN_SIDE = 4;

/** Frames hold up to eight objects; more than this is clutter, and every object costs a row of classification. */
const MAX_REGIONS = 20;

/** An object that was found, and how sure the detector is of it. */
export interface Region {
  readonly box: Box;
  /** 0 to 1. */
  readonly score: number;
}

/** What a detector gives for one frame. */
export interface ObjectMap {
  /** How sure it is that an object has its centre in a cell, 0 to 1: `MAP_HEIGHT` × `MAP_WIDTH`. */
  readonly heat: Float32Array;
  /** From the middle of a cell to the object's left, top, right and bottom edge in frame pixels: four maps. */
  readonly edges: Float32Array;
}

/**
 * The objects of a map, from top to bottom and left to right. A cell is a peak when none of its eight neighbours is hotter; of
 * neighbours that are equally hot it is the first in rows.
 */
export function findObjects(map: ObjectMap): readonly Region[] {
  const kept: Region[] = [];
  for (const region of peaksOf(map).sort((a, b) => b.score - a.score)) {
    if (kept.length === MAX_REGIONS) break;
    if (kept.every(({ box }) => overlap(box, region.box) <= SAME_OBJECT)) kept.push(region);
  }
  return kept.sort((a, b) => a.box[1] - b.box[1] || a.box[0] - b.box[0]);
}

function peaksOf({ heat, edges }: ObjectMap): Region[] {
  const regions: Region[] = [];
  for (let at = 0; at < CELLS; at++) {
    const score = heat[at] ?? 0;
    // What is not a number is below it too.
    if (!(score >= THRESHOLD) || !isPeak(heat, at, score)) continue;
    const box = boxAt(edges, at);
    if (box) regions.push({ box, score: Math.min(1, score) });
  }
  return regions;
}

function isPeak(heat: Float32Array, at: number, score: number): boolean {
  const x = at % MAP_WIDTH;
  const y = Math.floor(at / MAP_WIDTH);
  for (let row = Math.max(0, y - 1); row <= Math.min(MAP_HEIGHT - 1, y + 1); row++) {
    for (let column = Math.max(0, x - 1); column <= Math.min(MAP_WIDTH - 1, x + 1); column++) {
      const other = row * MAP_WIDTH + column;
      const value = heat[other] ?? 0;
      if (value > score || (value === score && other < at)) return false;
    }
  }
  return true;
}

/** The box around a cell, within the frame; none for specks and for what is no box. */
function boxAt(edges: Float32Array, at: number): Box | undefined {
  const x = ((at % MAP_WIDTH) + 0.5) * SCALE;
  const y = (Math.floor(at / MAP_WIDTH) + 0.5) * SCALE;
  const edge = (index: number): number => edges[index * CELLS + at] ?? 0;
  const box: Box = [
    Math.max(0, x - edge(0)),
    Math.max(0, y - edge(1)),
    Math.min(FRAME_WIDTH, x + edge(2)),
    Math.min(FRAME_HEIGHT, y + edge(3)),
  ];
  return box[2] - box[0] >= MIN_SIDE && box[3] - box[1] >= MIN_SIDE ? box : undefined;
}
