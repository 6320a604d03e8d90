import type { Box } from "./box.ts";

/** Pixels of a frame as all stages take it. */
export const FRAME_WIDTH = 320;
export const FRAME_HEIGHT = 240;

/** What is looked for, in the order of the classifiers' classes. */
export const CLASSES = [
  "car",
  "taxi",
  "van",
  "ambulance",
  "truck",
  "bus",
  "motorcycle",
  "bicycle",
  "pedestrian",
] as const;

export type ObjectClass = (typeof CLASSES)[number];

/** A frame of the camera: grey, row-major, one byte a pixel. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** An object that was drawn, and where it stands. */
export interface LabelledObject {
  readonly class: ObjectClass;
  readonly box: Box;
}

/** What is known exactly about a rendered frame. */
export interface FrameLabel {
  readonly objects: readonly LabelledObject[];
}
