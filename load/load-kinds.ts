import type { LoadSpec } from "./generate-load.ts";
import type { LoadComponent } from "./load-component.ts";
import { partSeed, seededRandom } from "./seeded-random.ts";

const HOUR = 3600;
const DAY = 86_400;

const WEEK: LoadComponent = { kind: "week", factors: [1, 1.03, 1.05, 1.04, 1, 0.8, 0.75] };
const HALF_HOURLY: LoadComponent = {
  kind: "bursts",
  periodSeconds: 1800,
  startSeconds: 120,
  lengthSeconds: 300,
  factor: 1.7,
  jitterSeconds: 5,
  chance: 0.9,
};

function daily(amplitude: number, topHours: number): LoadComponent {
  return { kind: "season", periodSeconds: DAY, amplitude, topSeconds: topHours * HOUR };
}

/** Loads of one character each. */
export const LOAD_KINDS = {
  /** People over the day and the week, jobs every half hour. */
  web: {
    baseRps: 60,
    groupSize: 1,
    components: [
      daily(0.5, 15),
      { kind: "season", periodSeconds: DAY / 2, amplitude: 0.15, topSeconds: 9 * HOUR },
      WEEK,
      HALF_HOURLY,
      { kind: "wander", memorySeconds: 600, sigma: 0.06 },
      { kind: "gaps", meanSeconds: DAY, meanLengthSeconds: 60 },
    ],
  },
  steady: { baseRps: 50, groupSize: 1, components: [] },
  sparse: { baseRps: 0.7, groupSize: 1, components: [daily(0.6, 14)] },
  /** Deployments and outages elsewhere: a new level every few hours. */
  shifts: { baseRps: 80, groupSize: 1, components: [{ kind: "shifts", meanSeconds: 2 * HOUR, sigma: 0.7 }] },
  /** Batch jobs: nothing for minutes, then all at once, requests in groups. */
  onOff: {
    baseRps: 0.2,
    groupSize: 4,
    components: [
      { kind: "onOff", rateRps: 12, meanOnSeconds: 20, meanOffSeconds: 120 },
      { kind: "onOff", rateRps: 30, meanOnSeconds: 8, meanOffSeconds: 400 },
    ],
  },
  /** A Markov-modulated Poisson process. */
  mmpp: { baseRps: 30, groupSize: 1, components: [{ kind: "states", factors: [0.4, 1, 2.5], meanSeconds: 90 }] },
  flash: {
    baseRps: 40,
    groupSize: 1,
    components: [
      daily(0.4, 18),
      { kind: "flashCrowds", meanSeconds: 8 * HOUR, factor: 6, riseSeconds: 90, halfLifeSeconds: 600 },
    ],
  },
} as const satisfies Record<string, LoadSpec>;

/**
 * A load of its own for each seed, with the parts of all kinds in other sizes: rates from 0.3 to 1,000 rps, more seasons or fewer, and
 * one to four of the rest. What a forecaster that is to know loads that it has never seen is trained on.
 */
export function mixedLoad(seed: number): LoadSpec {
  const random = seededRandom(partSeed(seed, 1_000_003));
  const between = (low: number, high: number): number => low + (high - low) * random();
  const logBetween = (low: number, high: number): number => Math.exp(between(Math.log(low), Math.log(high)));
  const baseRps = logBetween(0.3, 1000);
  const components: LoadComponent[] = [];
  if (random() < 0.8) components.push(daily(between(0.1, 0.85), between(0, 24)));
  if (random() < 0.5) components.push(WEEK);
  const parts: readonly (() => LoadComponent)[] = [
    () => ({
      kind: "bursts",
      periodSeconds: [300, 600, 900, 1800, 1800, 3600][Math.floor(random() * 6)] ?? 1800,
      startSeconds: between(0, 240),
      lengthSeconds: logBetween(10, 300),
      factor: logBetween(1.2, 4),
      jitterSeconds: between(0, 20),
      chance: between(0.6, 1),
    }),
    () => ({ kind: "shifts", meanSeconds: logBetween(600, 6 * HOUR), sigma: between(0.1, 0.8) }),
    () => ({ kind: "wander", memorySeconds: logBetween(20, 3600), sigma: between(0.03, 0.35) }),
    () => ({
      kind: "states",
      factors: [between(0.2, 0.8), 1, logBetween(1.3, 4)],
      meanSeconds: logBetween(20, 1200),
    }),
    () => ({
      kind: "flashCrowds",
      meanSeconds: logBetween(HOUR, 12 * HOUR),
      factor: logBetween(1.5, 8),
      riseSeconds: logBetween(5, 300),
      halfLifeSeconds: logBetween(30, 1800),
    }),
    () => ({
      kind: "onOff",
      rateRps: baseRps * logBetween(0.3, 5),
      meanOnSeconds: logBetween(5, 300),
      meanOffSeconds: logBetween(30, 1200),
    }),
  ];
  const count = 1 + Math.floor(random() * 4);
  for (let part = 0; part < count; part++)
    components.push((parts[Math.floor(random() * parts.length)] ?? parts[0])?.() ?? WEEK);
  if (random() < 0.2)
    components.push({ kind: "gaps", meanSeconds: logBetween(HOUR, DAY), meanLengthSeconds: logBetween(5, 120) });
  return { baseRps, components, groupSize: random() < 0.2 ? logBetween(1.2, 6) : 1 };
}
