import type { Tuning } from "../control/tuning.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { LoadTrace } from "../load/load-trace.ts";
import type { ForecasterSnapshot } from "../predictor/forecaster-snapshot.ts";
import type { LoadCell } from "../predictor/load-history.ts";
import type { OpenModel } from "../predictor/network/open-model.ts";
import type { Fault } from "./faults.ts";
import type { ForecastName } from "./forecast-source.ts";
import type { Window } from "./recorder.ts";
import type { SimulatedDrift } from "./sim-answers.ts";
import type { ClusterOptions } from "./sim-cluster.ts";
import type { Ablation } from "./sim-control.ts";

export interface SimulationOptions {
  readonly pipeline: Pipeline;
  /** Requests offered in each second. */
  readonly load: LoadTrace;
  /** Of it, from the start: runs, but does not count. */
  readonly warmUpSeconds: number;
  /** Of the load before it, for the forecaster; rising. */
  readonly history: readonly LoadCell[];
  /** The forecaster's network; null: it does without one. */
  readonly model: OpenModel | null;
  /** Of the forecaster, at the end of that history; default: it begins with the history alone. */
  readonly learnt?: ForecasterSnapshot | null;
  readonly forecast: ForecastName;
  /** What the forecast `recentPeak` is multiplied by: a margin that some of the literature has. Default 1. */
  readonly margin?: number;
  readonly cluster: ClusterOptions;
  readonly maxCores: number | null;
  /** Plans know that all replicas share a machine of so many cores; default: each has its own. */
  readonly machineCores?: number | null;
  /** Requests are given up so long after they came; null: the SLO's latency, as in the gateway. */
  readonly timeoutMs: number | null;
  readonly windowSeconds: number;
  /** So often one ready pod, any of them, is gone at once; null: never. */
  readonly killEveryMs: number | null;
  /** Default: none. */
  readonly faults?: readonly Fault[];
  /** Default: items stay what they are. */
  readonly drift?: SimulatedDrift | null;
  /** Parts of the control loop that are left out, to see what they are worth. Default: none. */
  readonly without?: readonly Ablation[];
  /** Of the control loop, from the start. Default: nothing is tuned. */
  readonly tuning?: Tuning;
  readonly seed: number;
  readonly onProgress?: (share: number) => void;
  /** For the time that decisions take; missing: it is not measured. */
  readonly clockMs?: () => number;
}

/** What the control loop had decided by the end of a window. */
export interface WindowState {
  readonly forecastRps: number | null;
  readonly stages: readonly {
    readonly ready: number;
    readonly desired: number;
    /** Those that ready replicas may serve. */
    readonly variants: readonly string[];
  }[];
}

export interface SimulationRun {
  readonly windows: readonly (Window & WindowState)[];
  /** That count. */
  readonly seconds: number;
  readonly decisions: number;
  /** Combinations that were tried while accuracy had drifted. */
  readonly trials: number;
  /** Events that were worked off. */
  readonly events: number;
  readonly podsStarted: number;
  /** Of each tick, in ms; empty where it was not measured. */
  readonly tickMs: readonly number[];
}
