import type { AccuracyEstimate } from "../domain/accuracy-estimate.ts";
import type { Forecast, LoadSample } from "../domain/load.ts";
import type { LastMinute } from "../domain/load-report.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import type { Limits, StagePin } from "../optimizer/problem.ts";
import type { HpaScaling } from "../optimizer/reachable-count.ts";
import type { SwitcherView } from "./switcher-view.ts";
import type { Tuning } from "./tuning.ts";

/** What a tick sees of the world. */
export interface TickInput {
  readonly pipeline: Pipeline;
  /** The pipeline file's mode, or what an operator set since. */
  readonly mode: "shadow" | "active";
  /** Null: no usable load data. */
  readonly forecast: Forecast | null;
  /** The newest second; null: none. */
  readonly load: LoadSample | null;
  readonly switchers: readonly SwitcherView[];
  /** Ready replicas by stage where no switcher ever connected (replicas-only mode). */
  readonly readyReplicas: Readonly<Record<string, number>>;
  /** Ready replicas of every stage as the cluster counts them, with and without switchers; missing: it is not known. */
  readonly liveReplicas?: Readonly<Record<string, number>>;
  /** Bounds of the live ScaledObject and HPA by stage, where they are known. */
  readonly bounds: Readonly<Record<string, { readonly min: number; readonly max: number }>>;
  /** How the live HPAs scale, by stage, where it is known. */
  readonly scaling: Readonly<Record<string, HpaScaling>>;
  /** Why pods of a stage are not ready, by stage, in the cluster's words; missing: it is not known. */
  readonly unready?: Readonly<Record<string, string>>;
  /** Of what was answered since the last tick, by combination of variants. */
  readonly answered: readonly AccuracyEstimate[];
  /** How the requests of the last minute did; null or missing: the load source does not know. */
  readonly lastMinute?: LastMinute | null;
  readonly pins: readonly StagePin[];
  readonly tuning: Tuning;
  readonly limits: Limits;
  /**
   * Milliseconds into an interval at which plans fall due, so that pipelines that were taken up together aren't planned together;
   * missing: an interval after the last plan.
   */
  readonly planPhaseMs?: number;
  /** The gateway joins the votes of several variants, where policy and pipeline file plan them. Default false. */
  readonly joinsVotes?: boolean;
  /** Of the leader that runs this tick. */
  readonly epoch: number;
}
