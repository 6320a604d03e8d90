import { MAX_RATE_RPS } from "../domain/load.ts";
import { courseOf, type Effect, type LoadComponent } from "./load-component.ts";
import type { LoadTrace } from "./load-trace.ts";
import { poissonCount } from "./poisson-count.ts";
import { partSeed, seededRandom } from "./seeded-random.ts";

/** Where generated loads begin: midnight of a Monday, UTC. */
export const GENERATED_START_MS = Date.UTC(2026, 0, 5);

/** A load as its expected rate and how requests come. */
export interface LoadSpec {
  readonly baseRps: number;
  readonly components: readonly LoadComponent[];
  /** Requests come in groups of this mean size (geometric); 1: each by itself, a Poisson process. */
  readonly groupSize: number;
}

/** The expected rate of one second in rps, and whether nothing is known of it. Called for each second from 0 on, in order. */
export type ExpectedLoad = (second: number) => { readonly rateRps: number; readonly isMissing: boolean };

/** The course that a load's rate takes with this seed; another component leaves the course of the others as it was. */
export function expectedLoad(spec: LoadSpec, seed: number): ExpectedLoad {
  const courses = spec.components.map((component, i) => courseOf(component, seededRandom(partSeed(seed, i + 1))));
  return second => {
    const effect: Effect = { factor: 1, addedRps: 0, isMissing: false };
    for (const course of courses) course(effect, second);
    const rateRps = Math.min(Math.max(spec.baseRps * effect.factor, 0) + effect.addedRps, MAX_RATE_RPS / 2);
    return { rateRps, isMissing: effect.isMissing };
  };
}

/** Counts of `seconds` seconds; the same on every machine for the same seed. */
export function generateLoad(spec: LoadSpec, seconds: number, seed: number): LoadTrace {
  const expected = expectedLoad(spec, seed);
  const random = seededRandom(partSeed(seed, 0));
  const ratesRps = new Float64Array(seconds);
  for (let second = 0; second < seconds; second++) {
    const { rateRps, isMissing } = expected(second);
    // Drawn all the same, so that a gap changes nothing after it.
    const count = groupedCount(random, rateRps, spec.groupSize);
    ratesRps[second] = isMissing ? Number.NaN : count;
  }
  return { startMs: GENERATED_START_MS, ratesRps };
}

/** Requests in a Poisson number of groups, each of a geometric size of mean `groupSize`. */
function groupedCount(random: () => number, meanRps: number, groupSize: number): number {
  const groups = poissonCount(random, meanRps / groupSize);
  if (groupSize <= 1) return groups;
  const logOfMore = Math.log(1 - 1 / groupSize);
  let count = groups;
  for (let group = 0; group < groups; group++) count += Math.floor(Math.log(1 - random()) / logOfMore);
  return count;
}
