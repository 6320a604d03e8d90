import { autoregressiveExpert } from "./autoregressive-expert.ts";
import { ewmaExpert } from "./ewma-expert.ts";
import type { Expert } from "./expert.ts";
import { holtWintersExpert } from "./holt-winters-expert.ts";
import { movingMaximumExpert, movingMeanExpert } from "./moving-maximum-expert.ts";
import { seasonalExpert } from "./seasonal-expert.ts";
import { PEAK, RATE, type Target } from "./target.ts";

/**
 * Those that forecasts of a target are made with. Steady and slowly moving loads are the first one's; maxima and short means are quick to
 * see a burst and to forget it; seasons know when the next one comes; AR(12) knows how far a load comes back. docs/forecasting.md has what each is worth.
 *
 * @param phaseSeconds of AR(12)'s fits; another for each pipeline.
 */
export function createExperts(target: Target, phaseSeconds: number): readonly Expert[] {
  return [
    ewmaExpert(target),
    ...(target === PEAK
      ? [movingMaximumExpert(20), movingMaximumExpert(120)]
      : [movingMeanExpert(20), movingMeanExpert(120)]),
    seasonalExpert(target, "halfHourly", 1800, 48),
    seasonalExpert(target, "daily", 86_400, 7),
    autoregressiveExpert(target, phaseSeconds),
  ];
}

/** Those of the peak. */
export const EXPERTS: readonly Expert[] = createExperts(PEAK, 0);

export const RATE_EXPERTS: readonly Expert[] = createExperts(RATE, 0);

/** All of the peak, for comparison. */
export const ALL_EXPERTS: readonly Expert[] = [...EXPERTS, movingMaximumExpert(60), holtWintersExpert];
