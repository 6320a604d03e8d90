import type { PipelineBoard } from "../control/board.ts";
import { type ControlState, initialState } from "../control/control-state.ts";
import { planningHorizonMs } from "../control/planning.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import { tick } from "../control/tick.ts";
import type { LoadSample } from "../domain/load.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { Limits } from "../optimizer/problem.ts";
import type { HpaScaling } from "../optimizer/reachable-count.ts";
import type { ForecastSource } from "./forecast-source.ts";

export interface SimControlOptions {
  readonly pipeline: Pipeline;
  readonly forecasts: ForecastSource;
  readonly limits: Limits;
  /** Of the HPAs; null: they go to every count. */
  readonly tolerance: number | null;
}

/** The control loop of one pipeline, on the clock of the simulation: the scaler's own tick. */
export class SimControl {
  readonly #options: SimControlOptions;
  #state: ControlState = initialState(1);

  constructor(options: SimControlOptions) {
    this.#options = options;
  }

  get decisions(): number {
    return this.#state.decisions;
  }

  /** @param sample of the second that is over; null: monitoring is silent. */
  tick(
    sample: LoadSample | null,
    switchers: readonly SwitcherView[],
    desired: readonly number[],
    nowMs: number,
  ): PipelineBoard {
    const { pipeline, forecasts, limits, tolerance } = this.#options;
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
    const result = tick(
      this.#state,
      {
        pipeline,
        mode: "active",
        forecast: forecasts.forecast(nowMs, planningHorizonMs(this.#state, pipeline)),
        load: sample,
        switchers,
        readyReplicas: {},
        bounds: {},
        scaling,
        pins: [],
        limits,
        epoch: 1,
      },
      nowMs,
    );
    this.#state = result.state;
    return result.board;
  }
}
