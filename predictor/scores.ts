import type { Outcomes } from "./outcomes.ts";

const DAY_MS = 86_400_000;
/** With fewer outcomes a day's share is chance. */
const LEAST_OF_A_DAY = 100;

/** How good forecasts of a peak were. All are means over origins; lower is better but for coverage, which should be 95. */
export interface Scores {
  readonly origins: number;
  /** Symmetric mean absolute percentage error of the median, 0 to 200: |a − p| over the mean of a and p; 0 where both are 0. */
  readonly smape: number;
  /** Mean absolute error of the median, in rps. */
  readonly mae: number;
  /** Pinball loss of the 0.9 and of the 0.95 quantile, in rps. */
  readonly pinball90: number;
  readonly pinball95: number;
  /** Percentage of peaks at or below the 0.95 quantile. */
  readonly coverage95: number;
  /** The lowest `coverage95` of a day (UTC); null: no day has a hundred outcomes. */
  readonly worstDayCoverage95: number | null;
  /** How far the peak was above the 0.95 quantile where it was, in rps; 0 where it never was. */
  readonly shortfall: number;
  /** By how much the 0.95 quantile was above the peak on average, shortfalls taken off, in percent of the mean peak; null without load. */
  readonly overProvision: number | null;
}

/** Null: there are no outcomes. */
export function scoresOf(outcomes: Outcomes): Scores | null {
  const { length, actualRps, medianRps, q90Rps, q95Rps } = outcomes;
  if (length === 0) return null;
  let [smape, mae, pinball90, pinball95, misses, shortfall, above, actualSum] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < length; i++) {
    const actual = actualRps[i] ?? 0;
    const median = medianRps[i] ?? 0;
    const q95 = q95Rps[i] ?? 0;
    const error = Math.abs(actual - median);
    smape += actual + median > 0 ? (2 * error) / (actual + median) : 0;
    mae += error;
    pinball90 += pinball(0.9, q90Rps[i] ?? 0, actual);
    pinball95 += pinball(0.95, q95, actual);
    if (actual > q95) {
      misses += 1;
      shortfall += actual - q95;
    }
    above += q95 - actual;
    actualSum += actual;
  }
  return {
    origins: length,
    smape: (100 * smape) / length,
    mae: mae / length,
    pinball90: pinball90 / length,
    pinball95: pinball95 / length,
    coverage95: 100 * (1 - misses / length),
    worstDayCoverage95: worstDay(outcomes),
    shortfall: misses > 0 ? shortfall / misses : 0,
    overProvision: finiteOrNull((100 * above) / actualSum),
  };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Pinball loss of each origin's 0.95 quantile, in rps. */
export function pinballLosses95(outcomes: Outcomes): Float64Array {
  return Float64Array.from(outcomes.actualRps, (actual, i) => pinball(0.95, outcomes.q95Rps[i] ?? 0, actual));
}

function pinball(q: number, predicted: number, actual: number): number {
  const short = actual - predicted;
  return short > 0 ? q * short : (q - 1) * short;
}

function worstDay(outcomes: Outcomes): number | null {
  const days = new Map<number, { covered: number; origins: number }>();
  for (const [i, atMs] of outcomes.atMs.entries()) {
    const number = Math.floor(atMs / DAY_MS);
    const day = days.get(number) ?? { covered: 0, origins: 0 };
    day.origins += 1;
    if ((outcomes.actualRps[i] ?? 0) <= (outcomes.q95Rps[i] ?? 0)) day.covered += 1;
    days.set(number, day);
  }
  const shares = [...days.values()]
    .filter(({ origins }) => origins >= LEAST_OF_A_DAY)
    .map(({ covered, origins }) => (100 * covered) / origins);
  return shares.length > 0 ? Math.min(...shares) : null;
}
