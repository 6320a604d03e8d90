import { type Forecast, QUANTILES } from "../domain/load.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { Objective } from "../domain/pipeline-schema.ts";
import type { ServingChange } from "../domain/serving/serving-schema.ts";
import { optimize } from "../optimizer/optimize.ts";
import type { Problem, StagePin } from "../optimizer/problem.ts";
import { changeOnce } from "./change-once.ts";
import { SETTINGS } from "./settings.ts";

/** What is set for a while in the place of the pipeline file's weights and of the loop's constants. Constraints are never among it. */
export interface Tuning {
  /** Null: the pipeline file's. */
  readonly weights: Objective["weights"] | null;
  /** One of QUANTILES; null: that of SETTINGS. */
  readonly forecastQuantile: number | null;
  /** Kept only while a plan with them meets every constraint; those of operators win. */
  readonly pins: readonly StagePin[];
  /** How replicas choose variants; null: as the pipeline file says. */
  readonly serving: ServingChange | null;
}

export const UNTUNED: Tuning = { weights: null, forecastQuantile: null, pins: [], serving: null };

export function isTuned({ weights, forecastQuantile, pins, serving }: Tuning): boolean {
  return weights !== null || forecastQuantile !== null || pins.length > 0 || serving !== null;
}

/** The pipeline with a tuning's weights and its way of serving: the same object for the same ones. */
export function withTuning(pipeline: Pipeline, { weights, serving }: Tuning): Pipeline {
  const { objective } = pipeline;
  const weighted = weights ? changeOnce(pipeline, weights, () => ({ objective: { ...objective, weights } })) : pipeline;
  return serving ? changeOnce(weighted, serving, () => ({ serving: { ...pipeline.serving, ...serving } })) : weighted;
}

/** The entry rate that a forecast asks for at a tuning's quantile, without the reactive floor. */
export function forecastRps({ intensityRps }: Forecast, tuning: Tuning): number {
  return intensityRps[quantileIndex(tuning)] ?? intensityRps[SETTINGS.forecastQuantile];
}

/** Index into QUANTILES of what a tuning has planned for. */
export function quantileIndex({ forecastQuantile }: Tuning): number {
  const index = (QUANTILES as readonly number[]).indexOf(forecastQuantile ?? Number.NaN);
  return index < 0 ? SETTINGS.forecastQuantile : index;
}

/** Whether plans are for a quantile of a tuning in the place of what is expected. */
export function isQuantileTuned({ forecastQuantile }: Tuning): boolean {
  return (QUANTILES as readonly (number | null)[]).includes(forecastQuantile);
}

/**
 * The problem with a tuning's pins, if a plan with them meets every constraint; else as it is. A tuning can make a plan worse by the objective,
 * never break a constraint that it keeps.
 */
export function withTunedPins(problem: Problem, { pins }: Tuning): Problem {
  const free = pins.filter(pin => !problem.pins.some(other => other.stage === pin.stage));
  if (free.length === 0) return problem;
  const pinned = { ...problem, pins: [...problem.pins, ...free.map(pin => ({ ...pin, mayGoLighter: true as const }))] };
  return optimize({ ...pinned, runnerUp: false }).feasible ? pinned : problem;
}
