import { QUANTILES } from "../domain/load.ts";
import { anscombe, inverseAnscombe } from "./anscombe.ts";
import { ewmaExpert } from "./ewma-expert.ts";
import type { Expert } from "./expert.ts";
import type { LoadHistory } from "./load-history.ts";
import { normalQuantile } from "./normal-quantile.ts";
import { poissonMaximum } from "./poisson-maximum.ts";
import { PEAK } from "./target.ts";

const DAY_SECONDS = 86_400;
const DAYS = 7;
const MINUTE = 60;
const STEP_SECONDS = 10;
const STEPS = 60;
const LEVEL_WEIGHT = 0.3;
const TREND_WEIGHT = 0.03;
/** Of the trend, from one step to the next: it does not go on for ever. */
const TREND_KEPT = 0.95;
/** How fast the chance of the highest second falls with the rate, a sigma lower, about two sigmas above the mean. */
const TAIL_SLOPE = 2.2;

/**
 * Holt and Winters: level and damped trend of means of ten seconds, exponentially smoothed over ten minutes, and a daily season: the mean of
 * the same minute of up to seven earlier days. In the Anscombe domain; requests come as a Poisson process about it.
 */
export const holtWintersExpert: Expert = {
  name: "holtWinters",
  predict: (history, horizonSeconds) => {
    const past = smoothed(history);
    if (past === null) return ewmaExpert(PEAK).predict(history, horizonSeconds);
    const rates = ahead(history, past, horizonSeconds);
    const top = Math.max(...rates);
    let seconds = 0;
    for (const [step, rate] of rates.entries())
      seconds += Math.min(STEP_SECONDS, horizonSeconds - step * STEP_SECONDS) * Math.exp(-TAIL_SLOPE * (top - rate));
    const peak = poissonMaximum(inverseAnscombe(top), Math.max(1, Math.round(seconds)));
    const middle = anscombe(peak[0] as number);
    return QUANTILES.map(
      (q, i) => middle + Math.hypot(anscombe(peak[i] as number) - middle, normalQuantile(q) * past.deviation),
    );
  },
};

interface Smoothed {
  readonly level: number;
  readonly trend: number;
  /** Of its errors one step ahead. */
  readonly deviation: number;
}

/** Null: nothing is known of the last ten minutes. */
function smoothed(history: LoadHistory): Smoothed | null {
  let level = Number.NaN;
  let trend = 0;
  let [squares, errors] = [0, 0];
  let season = 0;
  for (let step = STEPS - 1; step >= 0; step--) {
    const age = step * STEP_SECONDS;
    if (step === STEPS - 1 || (step + 1) % (MINUTE / STEP_SECONDS) === 0) season = seasonAt(history, age);
    const value = anscombe(history.meanOf(age, STEP_SECONDS)) - season;
    if (Number.isNaN(value)) continue;
    if (Number.isNaN(level)) {
      level = value;
      continue;
    }
    const error = value - level - trend;
    squares += error * error;
    errors += 1;
    const before = level;
    level += trend + LEVEL_WEIGHT * error;
    trend = TREND_KEPT * (trend + TREND_WEIGHT * (level - before - trend));
  }
  return Number.isNaN(level) ? null : { level, trend, deviation: errors > 0 ? Math.sqrt(squares / errors) : 1 };
}

/** The expected rate in the middle of every ten seconds ahead, in the Anscombe domain. */
function ahead(history: LoadHistory, past: Smoothed, horizonSeconds: number): number[] {
  let season = 0;
  return Array.from({ length: Math.ceil(horizonSeconds / STEP_SECONDS) }, (_, step) => {
    const minute = Math.floor((step * STEP_SECONDS) / MINUTE);
    if ((step * STEP_SECONDS) % MINUTE === 0) season = seasonAt(history, -(minute + 1) * MINUTE);
    const trend = (past.trend * (1 - TREND_KEPT ** (step + 0.5))) / (1 - TREND_KEPT);
    return Math.max(past.level + trend + season, anscombe(0));
  });
}

/** Of the minute whose newest second is `age` seconds back; below 0: it is still to come. 0 without an earlier day. */
function seasonAt(history: LoadHistory, age: number): number {
  let [sum, days] = [0, 0];
  for (let day = 1; day <= DAYS; day++) {
    const value = anscombe(history.meanOf(day * DAY_SECONDS + age, MINUTE));
    if (Number.isNaN(value)) continue;
    sum += value;
    days += 1;
  }
  return days > 0 ? sum / days : 0;
}
