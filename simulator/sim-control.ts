import { type CombinationAccuracy, withAccuracies } from "../control/accuracy-drift.ts";
import type { PipelineBoard } from "../control/board.ts";
import { type ControlState, initialState } from "../control/control-state.ts";
import { planningHorizonMs } from "../control/planning.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import { tick } from "../control/tick.ts";
import { type Tuning, UNTUNED } from "../control/tuning.ts";
import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { LoadSample } from "../domain/load.ts";
import type { LastMinute } from "../domain/load-report.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { withMethod } from "../optimizer/accuracy.ts";
import type { Limits } from "../optimizer/problem.ts";
import type { HpaScaling } from "../optimizer/reachable-count.ts";
import type { ForecastSource } from "./forecast-source.ts";

/** Parts of the control loop and its forecasts that a simulation can leave out. */
export const ABLATIONS = ["makeBeforeBreak", "calibration", "tables", "rise"] as const;
export type Ablation = (typeof ABLATIONS)[number];

export interface SimControlOptions {
  readonly pipeline: Pipeline;
  readonly forecasts: ForecastSource;
  readonly limits: Limits;
  /** Of the HPAs; null: they go to every count. */
  readonly tolerance: number | null;
  readonly without: readonly Ablation[];
  readonly tuning: Tuning;
}

/** What is known of the second that is over. */
export interface SimTelemetry {
  /** Null: monitoring is silent. */
  readonly sample: LoadSample | null;
  readonly switchers: readonly SwitcherView[];
  readonly answered: readonly AccuracyEstimate[];
  readonly lastMinute: LastMinute;
  /** In the place of those that were measured; empty: these. */
  readonly accuracies: readonly CombinationAccuracy[];
}

/** The control loop of one pipeline, on the clock of the simulation: the scaler's own tick. */
export class SimControl {
  readonly #options: SimControlOptions;
  /** May be changed between ticks. */
  tuning: Tuning = UNTUNED;
  #state: ControlState = initialState(1);

  constructor(options: SimControlOptions) {
    const { pipeline, tuning } = options;
    this.tuning = tuning;
    // Requests are still counted by the tables: what is missing is what plans know of them.
    const blind = { ...pipeline, accuracy: withMethod(pipeline.accuracy, "product") };
    this.#options = options.without.includes("tables") ? { ...options, pipeline: blind } : options;
  }

  /** Since the start. */
  get counts(): { readonly decisions: number; readonly trials: number } {
    const { decisions, trials } = this.#state;
    return { decisions, trials };
  }

  tick(known: SimTelemetry, desired: readonly number[], nowMs: number): PipelineBoard {
    const { sample, switchers, answered, lastMinute, accuracies } = known;
    const { forecasts, limits, tolerance, without } = this.#options;
    const pipeline = withAccuracies(this.#options.pipeline, accuracies);
    if (sample) forecasts.observe(sample);
    const scaling: Record<string, HpaScaling> = {};
    if (tolerance !== null)
      for (const [s, { name, replicas }] of pipeline.stages.entries())
        scaling[name] = {
          current: desired[s] ?? 0,
          toleranceUp: tolerance,
          toleranceDown: tolerance,
          max: replicas.max,
        };
    const forecast = forecasts.forecast(nowMs, planningHorizonMs(this.#state, pipeline));
    const result = tick(
      this.#state,
      {
        pipeline,
        mode: "active",
        forecast: forecast && without.includes("rise") ? { ...forecast, riseRps: 0 } : forecast,
        load: sample,
        switchers,
        readyReplicas: {},
        bounds: {},
        scaling,
        answered,
        lastMinute,
        pins: [],
        tuning: this.tuning,
        limits,
        epoch: 1,
      },
      nowMs,
    );
    this.#state = result.state;
    return without.includes("makeBeforeBreak") ? allAtOnce(result.board) : result.board;
  }
}

/** The goal as it is: every count and every variant now. */
function allAtOnce(board: PipelineBoard): PipelineBoard {
  const stages = board.stages.map(stage => ({
    ...stage,
    replicasNow: stage.replicasGoal,
    metricValue: stage.replicasGoal,
    active: stage.replicasGoal > 0,
    assignments: new Map(),
  }));
  return { ...board, stages };
}
