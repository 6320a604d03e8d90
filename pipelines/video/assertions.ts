import { type Box, overlap } from "./box.ts";
import type { FrameContext } from "./context.ts";
import type { ObjectClass } from "./frame.ts";
import type { Region } from "./stages/object-map.ts";

/** Width over height of a class, at the least and at the most: those that are drawn reach from 0.8 to 1.25 times as far. */
const PROPORTIONS: Readonly<Record<ObjectClass, readonly [number, number]>> = {
  car: [1.6, 4.2],
  taxi: [1.4, 3.6],
  van: [1.4, 3.4],
  ambulance: [1.3, 3.2],
  truck: [1.4, 3.8],
  bus: [1.9, 4.8],
  motorcycle: [0.85, 1.9],
  bicycle: [0.65, 1.5],
  pedestrian: [0.18, 0.65],
};

/** Road users stand beside each other on these frames; boxes that share more than this are of one of them. */
const MOST_OVERLAP = 0.15;
/** Detectors that see more objects than this see noise. */
const MOST_OBJECTS = 8;
/** An object that is found this surely is hardly ever named with less certainty. */
const SURE_OBJECT = 0.6;
const UNSURE_CLASS = 0.4;

/** What must hold of a right answer. None of them needs labels. */
export const assertions = {
  boxesApart: ({ regions }: FrameContext): boolean =>
    regions.every(({ box }, index) => regions.slice(index + 1).every(other => overlap(box, other.box) <= MOST_OVERLAP)),
  proportions: ({ regions, classified }: FrameContext): boolean =>
    classified.every(({ class: name }, index) => isProportioned(name, regions[index])),
  fewObjects: ({ regions }: FrameContext): boolean => regions.length <= MOST_OBJECTS,
  someObject: ({ regions }: FrameContext): boolean => regions.length > 0,
  sureClasses: ({ regions, classified }: FrameContext): boolean =>
    classified.every(
      ({ confidence }, index) => confidence >= UNSURE_CLASS || (regions[index]?.score ?? 0) < SURE_OBJECT,
    ),
} as const;

function isProportioned(name: ObjectClass, region: Region | undefined): boolean {
  if (!region) return false;
  const [least, most] = PROPORTIONS[name];
  const proportion = proportionOf(region.box);
  return proportion >= least && proportion <= most;
}

function proportionOf([left, top, right, bottom]: Box): number {
  return (right - left) / (bottom - top);
}
