import { anscombe } from "./anscombe.ts";
import { ewmaExpert } from "./ewma-expert.ts";
import type { Expert } from "./expert.ts";
import type { LoadHistory } from "./load-history.ts";
import { normalQuantile } from "./normal-quantile.ts";
import type { Target } from "./target.ts";

const LEVEL_SECONDS = 60;
/** With fewer there is no telling a season from chance. */
const LEAST_RISES = 2;

/**
 * The load does again what it did at the same phase of earlier periods: how far the target rose above the level of the minute before, in
 * the Anscombe domain, with the spread that these rises had. Without two earlier periods it is the EWMA expert.
 */
export function seasonalExpert(target: Target, name: string, periodSeconds: number, periods: number): Expert {
  return {
    name,
    predict: (history, horizonSeconds) => {
      const rises = findRises(target, history, { periodSeconds, periods, horizonSeconds });
      const level = anscombe(history.meanOf(0, LEVEL_SECONDS));
      if (rises.length < LEAST_RISES || Number.isNaN(level)) return ewmaExpert(target).predict(history, horizonSeconds);
      const mean = rises.reduce((sum, rise) => sum + rise, 0) / rises.length;
      const squares = rises.reduce((sum, rise) => sum + (rise - mean) ** 2, 0);
      // Of the next rise about a mean that is itself known from so many alone.
      const deviation = Math.sqrt((squares / (rises.length - 1)) * (1 + 1 / rises.length));
      return target.levels.map(q => Math.max(level + mean, 0) + normalQuantile(q) * deviation);
    },
  };
}

interface Seasons {
  readonly periodSeconds: number;
  readonly periods: number;
  readonly horizonSeconds: number;
}

function findRises(
  target: Target,
  history: LoadHistory,
  { periodSeconds, periods, horizonSeconds }: Seasons,
): number[] {
  const rises: number[] = [];
  for (let k = 1; k <= periods; k++) {
    const age = k * periodSeconds;
    if (age < horizonSeconds) continue;
    const outcome = target.read(history, age - horizonSeconds, target.secondsOf(horizonSeconds));
    const rise = outcome - anscombe(history.meanOf(age, LEVEL_SECONDS));
    if (!Number.isNaN(rise)) rises.push(rise);
  }
  return rises;
}
