import { autoregressiveExpert } from "./autoregressive-expert.ts";
import { ewmaExpert } from "./ewma-expert.ts";
import type { Expert } from "./expert.ts";
import { holtWintersExpert } from "./holt-winters-expert.ts";
import { movingMaximumExpert } from "./moving-maximum-expert.ts";
import { seasonalExpert } from "./seasonal-expert.ts";

/**
 * Those that forecasts are made with. Steady and slowly moving loads are the first one's; maxima are quick to see a burst and to
 * forget it; seasons know when the next one comes; AR(12) knows how far a load comes back. docs/forecasting.md has what each is worth.
 *
 * @param phaseSeconds of AR(12)'s fits; another for each pipeline.
 */
export function expertsOf(phaseSeconds: number): readonly Expert[] {
  return [
    ewmaExpert,
    movingMaximumExpert(20),
    movingMaximumExpert(120),
    seasonalExpert("halfHourly", 1800, 48),
    seasonalExpert("daily", 86_400, 7),
    autoregressiveExpert(phaseSeconds),
  ];
}

export const EXPERTS: readonly Expert[] = expertsOf(0);

/** All that there are, for comparison. */
export const ALL_EXPERTS: readonly Expert[] = [...EXPERTS, movingMaximumExpert(60), holtWintersExpert];
