/** Loads that contenders are judged under, as large as fits the machine, and what else happens on it meanwhile. */
import { type DemoRates, findCapacityRps, pickVariants } from "../../cli/demo/demo-rates.ts";
import { demoShape, levelAt } from "../../cli/demo/load-shape.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { poissonArrivals } from "../../load/poisson-arrivals.ts";
import { partSeed, seededRandom } from "../../load/seeded-random.ts";

/** As long as the demo plays its load. */
const LEAST_DURATION_MS = 64_000;
/** Three runs have 2,000 of them, with some to spare. */
const LEAST_REQUESTS = 720;
const WARM_UP_MS = 4000;
const FLAT_SHARE = 0.85;
const STEP_SHARE = 0.8;
const LOW_SHARE = 0.1;
const BURST_EVERY_MS = 10_000;
const BURST_MS = 2000;
const BETWEEN_BURSTS = 0.2;

interface Load {
  readonly peakRps: number;
  /** The share of the peak at a time of a run that is so long. */
  readonly shareAt: (atMs: number, durationMs: number) => number;
}

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

/** `neighbours`: two busy processes; `stalls`: replicas stand still now and then. */
export type DisturbanceKind = "neighbours" | "stalls";

export interface Condition {
  readonly name: string;
  readonly createLoad: (machine: Machine) => Load;
  readonly disturbance: DisturbanceKind | null;
}

export const CONDITIONS: readonly Condition[] = [
  { name: "demo", createLoad: createDemoLoad, disturbance: null },
  {
    name: "step",
    createLoad: ({ rates }) => {
      const peakRps = findStepRps(rates);
      const lowShare = Math.min(1, (LOW_SHARE * rates.lightestCapacityRps) / peakRps);
      return { peakRps, shareAt: (atMs, durationMs) => (atMs < durationMs / 2 ? lowShare : 1) };
    },
    disturbance: null,
  },
  {
    // Nothing can be won where the middle combination always fits.
    name: "flat",
    createLoad: ({ pipeline, machineCores, rates }) => {
      const middleRps = findCapacityRps(pipeline, machineCores, pickVariants(pipeline, "middle"));
      return { peakRps: Math.min(rates.gatewayRps, FLAT_SHARE * middleRps), shareAt: () => 1 };
    },
    disturbance: null,
  },
  {
    name: "bursts",
    createLoad: ({ rates }) => ({
      peakRps: findStepRps(rates),
      shareAt: atMs => (atMs % BURST_EVERY_MS < BURST_EVERY_MS - BURST_MS ? BETWEEN_BURSTS : 1),
    }),
    disturbance: null,
  },
  { name: "neighbours", createLoad: createDemoLoad, disturbance: "neighbours" },
  { name: "stalls", createLoad: createDemoLoad, disturbance: "stalls" },
];

function createDemoLoad({ rates }: Machine): Load {
  const shape = demoShape(1, rates.lowRps / rates.peakRps);
  return { peakRps: rates.peakRps, shareAt: (atMs, durationMs) => levelAt(shape, atMs / durationMs) };
}

function findStepRps({ gatewayRps, lightestCapacityRps }: DemoRates): number {
  return Math.min(gatewayRps, STEP_SHARE * lightestCapacityRps);
}

/** The load of a condition, played for so long that there are enough requests. */
export function createCourse({ createLoad }: Condition, machine: Machine): Course {
  const { peakRps, shareAt } = createLoad(machine);
  const times = Array.from({ length: 1000 }, (_, at) => ((at + 0.5) * LEAST_DURATION_MS) / 1000);
  const shares = times.reduce((sum, atMs) => sum + shareAt(atMs, LEAST_DURATION_MS), 0);
  const meanRps = (peakRps * shares) / times.length;
  const durationMs = 1000 * Math.ceil(Math.max(LEAST_DURATION_MS / 1000, LEAST_REQUESTS / meanRps));
  return { durationMs, peakRps, shareAt: atMs => shareAt(atMs, durationMs) };
}

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
