import { demandRps } from "../control/demand.ts";
import type { Tuning } from "../control/tuning.ts";
import { type Forecast, LEAST_RPS, type LoadSample } from "../domain/load.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { configurationOf, type Plan } from "../domain/plan.ts";
import type { Problem } from "../optimizer/problem.ts";

/** All that is known of one pipeline at one time: what proposals are checked against, and what a transcript keeps of it. */
export interface Situation
  extends Pick<Problem, "corrections" | "excluded" | "pins" | "limits" | "bounds" | "scaling"> {
  /** With the user's objective, whatever is tuned. */
  readonly pipeline: Pipeline;
  readonly atMs: number;
  readonly mode: "shadow" | "active";
  readonly load: LoadSample | null;
  /** Null: there is no usable load data, and nothing can be checked. */
  readonly forecast: Forecast | null;
  readonly plan: Plan | null;
  /** In force now. */
  readonly tuning: Tuning;
  /** Requests of the last seconds, oldest first; null: not known. */
  readonly recentRps: readonly (number | null)[];
}

/** The entry rate that is planned for where a tuning says its quantile; without one plans may be for what is expected up to it (`control/plans`). */
export function plannedRps(forecast: Forecast, tuning: Tuning): number {
  return Math.max(demandRps(forecast, tuning), LEAST_RPS);
}

/** The problem of the user's own objective at a rate: operators' pins hold, nothing is tuned. */
export function problemOf(situation: Situation, rateRps: number): Problem {
  const { pipeline, plan, corrections, excluded, pins, limits, bounds, scaling } = situation;
  return {
    pipeline,
    rateRps,
    current: plan && configurationOf(plan),
    corrections,
    excluded,
    pins,
    limits,
    bounds,
    ...(scaling && { scaling }),
    // As in the control loop: one variant serves a stage.
    combine: {},
  };
}
