import type { LoadHistory } from "./load-history.ts";

const STEP_SECONDS = 10;
/** With less, the level is hardly better known than by the last seconds. */
const LEAST_STEPS = 6;
const MOST_STEPS = 60;
/** What two parts of one level hardly ever differ by … */
const CHANGE_SIGMAS = 3.5;
/** … nor its newest ten seconds from the others: they are tried anew every second. */
const NEWEST_CHANGE_SIGMAS = 4;
const LEVEL_SIGMAS = 2;
/** By how much the roots of the mean counts of `newest` steps and of `others` may differ: at `newest` · MOST_STEPS + `others`. */
const MOST_APART = Float64Array.from({ length: MOST_STEPS * MOST_STEPS }, (_, place) => {
  const newest = Math.floor(place / MOST_STEPS);
  const sigmas = newest === 1 ? NEWEST_CHANGE_SIGMAS : CHANGE_SIGMAS;
  return (sigmas / 2) * Math.sqrt(1 / newest + 1 / (place % MOST_STEPS));
});
/** Of the last ten minutes, the newest first; to be filled anew each time. */
const rates = new Float64Array(MOST_STEPS * STEP_SECONDS);
/** Of the newest so many steps: the root of their mean count; to be filled anew each time. */
const rootsOfNewest = new Float64Array(MOST_STEPS + 1);

/**
 * What the rate of a load that goes on as it was is at most, at two sigmas; null: it changed in the last minute, or is not known for as
 * long. Its level is that of the longest time, up to ten minutes, which no moment parts into two that chance can't explain; the root of a
 * Poisson count has a deviation of 1/2 whatever the rate. Worked: a load of which 4,800 requests came in ten minutes is at most one of 8.23 rps.
 */
export function steadyRateRps(history: LoadHistory): number | null {
  history.newestRates(rates);
  const sums: number[] = [0];
  for (let steps = 1; steps <= MOST_STEPS; steps++) {
    const sum = (sums[steps - 1] ?? 0) + countOf(steps - 1);
    if (Number.isNaN(sum)) break;
    sums.push(sum);
    rootsOfNewest[steps] = Math.sqrt(sum / steps);
    if (isParted(sums, steps)) {
      sums.pop();
      break;
    }
  }
  const steps = sums.length - 1;
  if (steps < LEAST_STEPS) return null;
  return (Math.sqrt(sums[steps] ?? 0) + LEVEL_SIGMAS / 2) ** 2 / (steps * STEP_SECONDS);
}

/** Requests of the step that is `step` steps back; NaN: seconds are missing. */
function countOf(step: number): number {
  let count = 0;
  for (let age = 0; age < STEP_SECONDS; age++) count += rates[step * STEP_SECONDS + age] as number;
  return count;
}

/** Whether the newest of the steps, however many, are of another level than the others. */
function isParted(sums: readonly number[], steps: number): boolean {
  const all = sums[steps] ?? 0;
  for (let newest = 1; newest < steps; newest++) {
    const others = steps - newest;
    const rootOfOthers = Math.sqrt((all - (sums[newest] as number)) / others);
    const apart = Math.abs((rootsOfNewest[newest] as number) - rootOfOthers);
    if (apart > (MOST_APART[newest * MOST_STEPS + others] as number)) return true;
  }
  return false;
}
