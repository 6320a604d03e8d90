import { ewmaExpert } from "./ewma-expert.ts";
import type { Expert } from "./expert.ts";
import { movingMaximumExpert } from "./moving-maximum-expert.ts";

/** Steady and slowly moving loads are the first one's; the shorter the maximum, the sooner it forgets a burst. */
export const EXPERTS: readonly Expert[] = [
  ewmaExpert,
  movingMaximumExpert(20),
  movingMaximumExpert(60),
  movingMaximumExpert(120),
];

/** All that there are, for comparison. */
export const ALL_EXPERTS: readonly Expert[] = [...EXPERTS];
