import type { Condition } from "../control/board.ts";
import type { LearntFanOut } from "../control/rows/learn-rows.ts";
import type { Served } from "../control/served.ts";
import type { Forecast, LoadSample } from "../domain/load.ts";
import type { LastMinute } from "../domain/load-report.ts";
import type { OperatorPin } from "../domain/operator-pin.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { Plan, Reason } from "../domain/plan.ts";
import type { Analysis } from "../explanation/analyse-decision.ts";
import type { Given } from "../optimizer/given.ts";

/** JSON of `GET /api/v1/pipelines/{namespace}/{name}/live`: all that the page shows of one pipeline now, and its last minutes. */
export interface LiveView {
  readonly key: PipelineKey;
  readonly nowMs: number;
  readonly mode: "shadow" | "active";
  readonly fileMode: "shadow" | "active";
  readonly slo: { readonly latencyMs: number; readonly quantile: number };
  readonly policy: string;
  /** Null before the first tick. */
  readonly board: LiveBoard | null;
  readonly stages: readonly LiveStageView[];
  readonly pins: readonly LivePin[];
  /** The newest by operators, newest first, those of before a restart among them; the audit log has all. */
  readonly changes: readonly LiveChange[];
  /** Measured by the gateway; null: load comes from elsewhere, or the gateway does not answer. */
  readonly lastMinute: LastMinute | null;
  /** Parts of the scaler that do not work for this pipeline, as sentences. */
  readonly problems: readonly string[];
  /** Points after the time that was asked for; oldest first. */
  readonly history: LiveHistory;
}

export interface LiveBoard {
  readonly atMs: number;
  readonly decisionId: string | null;
  readonly planAtMs: number | null;
  readonly plan: Plan | null;
  readonly forecast: Forecast | null;
  readonly load: LoadSample | null;
  readonly reasons: readonly Reason[];
  readonly conditions: readonly Condition[];
  /** The variants that ready switchers serve, beside the plan; null before the first plan and without switchers. */
  readonly served: Served | null;
  /** Of the answers of late; null: nothing estimates it. */
  readonly estimated: { readonly accuracy: number; readonly measured: number; readonly labels: number } | null;
}

export type LiveChangeKind =
  | { readonly kind: "pin"; readonly pin: OperatorPin }
  | { readonly kind: "unpin"; readonly removed: readonly OperatorPin[] }
  | { readonly kind: "mode"; readonly mode: "shadow" | "active"; readonly before: "shadow" | "active" }
  | { readonly kind: "tuning"; readonly ended: boolean };

export type LiveChange = LiveChangeKind & {
  readonly atMs: number;
  /** Who, by what the caller said of itself; empty: it did not say. */
  readonly by: string;
  readonly reason: string;
  /** What let it in. */
  readonly shown: "token" | "this_machine";
};

export type LivePin = Omit<OperatorPin, "setAtMs">;

/** The variants that a stage's replicas are given. */
export interface LiveLadder {
  /** The most accurate and the lightest variant that may serve. */
  readonly top: string;
  readonly floor: string;
  /** In memory, the most accurate first. */
  readonly rungs: readonly { readonly variant: string; readonly maxBatch: number }[];
  /** The top alone serves, and what the ladder would choose is counted. */
  readonly shadow: boolean;
}

export interface LiveStageView {
  readonly stage: string;
  /** Names of the stages that must be done before it. */
  readonly dependsOn: readonly string[];
  /** In the order of the pipeline file; columns of the history are indices into it. */
  readonly variants: readonly string[];
  readonly replicasNow: number;
  readonly replicasGoal: number;
  readonly replicasReady: number;
  /** Ready switchers by the most accurate variant that they serve; none where replicas have no switchers. */
  readonly serving: readonly { readonly variant: string; readonly replicas: number }[];
  /** It is null before the first plan, and in mode shadow. */
  readonly ladder: LiveLadder | null;
  /** Shares of the rows of the last seconds by the variant that the ladder would have chosen, in shadow; none where none were counted. */
  readonly shadowShares: readonly { readonly variant: string; readonly share: number }[];
  /** Shares of the rows of the last seconds by the variant that served them, the largest first; none where none was served. */
  readonly rowShares: readonly { readonly variant: string; readonly share: number }[];
  readonly queuedRows: number;
  /** Age of the oldest row in a queue. */
  readonly queueAgeMs: number;
  /** Mean rows of a batch in the last seconds; null: none was served, or there are no switchers. */
  readonly batchRows: number | null;
  /** How many rows requests make, or rows of the upstream stage; null: too few were seen. */
  readonly fanOut: LearntFanOut | null;
  /** Most rows of a batch that is served now; null: there are no switchers. */
  readonly batch: number | null;
}

/** Columns of equal length, one entry for each point; null: not known at that time. */
export interface LiveHistory {
  readonly atMs: readonly number[];
  readonly decisionId: readonly (string | null)[];
  readonly values: Readonly<Record<PipelineColumn, readonly (number | null)[]>>;
  /** In the order of the pipeline's stages. */
  readonly stages: readonly Readonly<Record<StageColumn, readonly (number | null)[]>>[];
}

export const PIPELINE_COLUMNS = [
  /** Of the highest second that the point stands for. */
  "loadRps",
  /** Of the highest second in the horizon: quantiles 0.5 and 0.99. */
  "peakP50Rps",
  "peakP99Rps",
  "horizonMs",
  /** Entry rate that the plan was made for. */
  "planRps",
  "accuracy",
  /** Predicted of the variants that ready replicas serve. */
  "servedAccuracy",
  "effectiveAccuracy",
  /** Of the answers of late, by labels and estimate: moves away from `accuracy` where inputs drift. */
  "estimatedAccuracy",
  "cores",
  /** Predicted, at the quantile of the SLO. */
  "latencyMs",
  /** Measured by the gateway over the last minute. */
  "p99Ms",
  /** Share of the requests of the last minute that were answered within the SLO's latency. */
  "inTime",
] as const;
export type PipelineColumn = (typeof PIPELINE_COLUMNS)[number];

export const STAGE_COLUMNS = [
  "replicasNow",
  "replicasReady",
  /** Index of the variant that most ready switchers serve; of the plan where there are no switchers. */
  "variant",
  "queuedRows",
] as const;
export type StageColumn = (typeof STAGE_COLUMNS)[number];

/** JSON of `GET …/decisions/{decisionId}`: one decision, and what `variscale explain` says of it. */
export interface ExplainedDecision {
  readonly decisionId: string;
  readonly atMs: number;
  readonly mode: "shadow" | "active";
  readonly loadRps: number | null;
  readonly plan: Plan;
  readonly given: Given | null;
  readonly replicas: readonly {
    readonly stage: string;
    readonly now: number;
    readonly goal: number;
    readonly ready: number;
  }[];
  readonly analysis: Analysis;
}
