/** Loads that contenders are judged under, as large as fits the machine. */
import { type DemoRates, findCapacityRps, pickVariants } from "../../cli/demo/demo-rates.ts";
import { demoShape, levelAt } from "../../cli/demo/load-shape.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { poissonArrivals } from "../../load/poisson-arrivals.ts";
import { partSeed, seededRandom } from "../../load/seeded-random.ts";

/** As long as the demo plays its load. */
const DURATION_MS = 64_000;
const WARM_UP_MS = 4000;
const FLAT_SHARE = 0.85;
const STEP_SHARE = 0.8;
const LOW_SHARE = 0.1;

/** The offered load over time: `shareAt` says which share of the peak. */
export interface Course {
  readonly durationMs: number;
  readonly peakRps: number;
  readonly shareAt: (atMs: number) => number;
}

export interface Machine {
  readonly pipeline: Pipeline;
  readonly machineCores: number;
  readonly rates: DemoRates;
}

export interface Condition {
  readonly name: string;
  readonly createCourse: (machine: Machine) => Course;
}

export const CONDITIONS: readonly Condition[] = [
  {
    name: "demo",
    createCourse: ({ rates }) => {
      const shape = demoShape(DURATION_MS, rates.lowRps / rates.peakRps);
      return { durationMs: DURATION_MS, peakRps: rates.peakRps, shareAt: atMs => levelAt(shape, atMs) };
    },
  },
  {
    name: "step",
    createCourse: ({ rates }) => {
      const peakRps = Math.min(rates.gatewayRps, STEP_SHARE * rates.lightestCapacityRps);
      const lowShare = Math.min(1, (LOW_SHARE * rates.lightestCapacityRps) / peakRps);
      return { durationMs: DURATION_MS, peakRps, shareAt: atMs => (atMs < DURATION_MS / 2 ? lowShare : 1) };
    },
  },
  {
    // Nothing can be won where the middle combination always fits.
    name: "flat",
    createCourse: ({ pipeline, machineCores, rates }) => {
      const middleRps = findCapacityRps(pipeline, machineCores, pickVariants(pipeline, "middle"));
      const peakRps = Math.min(rates.gatewayRps, FLAT_SHARE * middleRps);
      return { durationMs: DURATION_MS, peakRps, shareAt: () => 1 };
    },
  },
];

/** The arrivals of a run and those of the warm-up before it, the same for all contenders with a seed. */
export interface Arrivals {
  readonly arrivalsMs: readonly number[];
  readonly warmUpMs: readonly number[];
}

export function drawArrivals({ durationMs, peakRps, shareAt }: Course, seed: number): Arrivals {
  const random = (part: number): (() => number) => seededRandom(partSeed(seed, part));
  return {
    arrivalsMs: poissonArrivals(shareAt, peakRps, durationMs, random(0)),
    warmUpMs: poissonArrivals(() => shareAt(0), peakRps, WARM_UP_MS, random(1)),
  };
}
