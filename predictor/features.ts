import { anscombe } from "./anscombe.ts";
import type { LoadHistory } from "./load-history.ts";

const HOUR = 3600;
const DAY = 86_400;
const TWO_PI = 2 * Math.PI;

/** Of the recent past, in seconds: how old the newest second is, and how many seconds there are. */
const MINUTES = Array.from({ length: 8 }, (_, k) => [120 + 60 * k, 60] as const);
const FIVE_MINUTES = Array.from({ length: 10 }, (_, k) => [600 + 300 * k, 300] as const);
const TEN_MINUTES = Array.from({ length: 6 }, (_, k) => [3600 + 600 * k, 600] as const);
const LONG_WINDOWS = [...MINUTES, ...FIVE_MINUTES, ...TEN_MINUTES];
const TENS = 12;
const HOUR_HARMONICS = 8;
const DAY_HARMONICS = 4;
const LAGS = [HOUR / 2, HOUR, DAY];
/** Windows after the same phase of an earlier period: where they start, and how many seconds they have. */
const LAG_WINDOWS = [
  [0, 30],
  [30, 30],
  [60, 60],
] as const;
/** A period, and of how many of them the profile of a phase is made. */
const PROFILES = [
  [HOUR / 2, 48],
  [HOUR, 24],
  [DAY, 7],
] as const;
const HIGH_QUANTILE = 0.9;

/** `recent`: of the last two hours, free of scale and clock; `seasonal`: clock, lags and phase profiles as well. */
export type FeatureSet = "recent" | "seasonal";

export const FEATURES: Readonly<Record<FeatureSet, number>> = {
  recent: 1 + 2 * TENS + LONG_WINDOWS.length,
  seasonal:
    1 +
    2 * TENS +
    LONG_WINDOWS.length +
    2 * (HOUR_HARMONICS + DAY_HARMONICS) +
    LAGS.length * (LAG_WINDOWS.length + 2) +
    2 * PROFILES.length,
};

/** The mean of the last minute in the Anscombe domain: what all else is measured from. NaN when it is missing. */
export function levelOf(history: LoadHistory): number {
  return anscombe(history.meanOf(0, 60));
}

/**
 * What a forecast of `horizonSeconds` is made from, in the Anscombe domain and relative to `level`, so that it has one scale at any
 * load. What is missing is NaN. The same for training, where the history has cells alone, as for forecasts.
 */
export function features(
  history: LoadHistory,
  set: FeatureSet,
  horizonSeconds: number,
  level: number,
  into: Float32Array,
): void {
  addRecent(history, level, into);
  if (set === "seasonal") addSeasonal(history, horizonSeconds, level, into);
}

/** The first of them, which are those of every horizon. */
export function addRecent(history: LoadHistory, level: number, into: Float32Array): void {
  const add = adder(into, 0);
  add(level);
  for (let k = 0; k < TENS; k++) {
    const { meanRps, highestRps } = history.window(10 * k, 10);
    add(anscombe(highestRps) - level);
    add(anscombe(meanRps) - level);
  }
  for (const [age, seconds] of LONG_WINDOWS) add(anscombe(history.meanOf(age, seconds)) - level);
}

/** The others. */
export function addSeasonal(history: LoadHistory, horizonSeconds: number, level: number, into: Float32Array): void {
  const add = adder(into, FEATURES.recent);
  addClock(history.second, add);
  for (const lag of LAGS) addLag(history, lag, horizonSeconds, level, add);
  for (const [period, periods] of PROFILES) addProfile(history, period, periods, horizonSeconds, add);
}

function adder(into: Float32Array, first: number): Add {
  let at = first;
  return value => {
    into[at++] = value;
  };
}

type Add = (value: number) => void;

function addClock(second: number, add: Add): void {
  const hour = (TWO_PI * (second % HOUR)) / HOUR;
  const day = (TWO_PI * (second % DAY)) / DAY;
  for (let k = 1; k <= HOUR_HARMONICS; k++) {
    add(Math.sin(k * hour));
    add(Math.cos(k * hour));
  }
  for (let k = 1; k <= DAY_HARMONICS; k++) {
    add(Math.sin(k * day));
    add(Math.cos(k * day));
  }
}

/** What came after the same phase, relative to what was before it. */
function addLag(history: LoadHistory, lag: number, horizonSeconds: number, level: number, add: Add): void {
  const before = anscombe(history.meanOf(lag, 60));
  const after = (start: number, seconds: number): void =>
    add(anscombe(history.meanOf(lag - start - seconds, seconds)) - before);
  after(0, horizonSeconds);
  for (const [start, seconds] of LAG_WINDOWS) after(start, seconds);
  add(before - level);
}

/** Mean and 0.9 quantile of how far the highest second of the horizon was above the level, at the same phase of earlier periods. */
function addProfile(history: LoadHistory, period: number, periods: number, horizonSeconds: number, add: Add): void {
  const rises: number[] = [];
  for (let k = 1; k <= periods; k++) {
    const age = k * period;
    const highest = history.highestOf(age - horizonSeconds, horizonSeconds);
    const rise = anscombe(highest) - anscombe(history.meanOf(age, 60));
    if (!Number.isNaN(rise)) rises.push(rise);
  }
  rises.sort((a, b) => a - b);
  add(rises.reduce((sum, rise) => sum + rise, 0) / rises.length);
  add(rises[Math.floor(HIGH_QUANTILE * (rises.length - 1))] ?? Number.NaN);
}
