import type { StageBoard } from "../control/board.ts";
import { VariscaleError } from "../domain/errors.ts";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";
import type { GetMetricSpecResponse } from "../proto/generated/externalscaler/GetMetricSpecResponse.ts";
import type { GetMetricsResponse } from "../proto/generated/externalscaler/GetMetricsResponse.ts";

/** What of a pipeline KEDA's answers need. */
export interface AnsweredPipeline {
  readonly key: PipelineKey;
  readonly loadSource: string;
  readonly stages: readonly AskedStage[];
}

/** A stage that a ScaledObject names. */
export interface AskedStage {
  readonly name: string;
  readonly replicas: { readonly min: number };
}

/** What KEDA is answered from: of a board that was decided here, or of one that the leader shares. */
export interface AnsweredBoard {
  readonly key: PipelineKey;
  /** When it was last known to hold. */
  readonly atMs: number;
  /** Null before the first plan. */
  readonly plan: unknown;
  readonly stages: readonly AnsweredStage[];
}

export type AnsweredStage = Pick<StageBoard, "stage" | "metricValue" | "active" | "replicasReady">;

/**
 * The name that the HPA holds. It must never change while the pipeline and the stage keep theirs: under another name the HPA finds
 * no metric and stops scaling. Letters, digits and `-` only.
 */
export function metricNameOf(pipeline: AnsweredPipeline, stage: AskedStage): string {
  return `variscale-${pipeline.key.name}-${stage.name}`.replaceAll(".", "-");
}

/** One metric with target 1, so that the value is the replica count. Integer fields for KEDA before 2.17, which reads only those. */
export function metricSpecOf(pipeline: AnsweredPipeline, stage: AskedStage): GetMetricSpecResponse {
  return { metricSpecs: [{ metricName: metricNameOf(pipeline, stage), targetSize: 1, targetSizeFloat: 1 }] };
}

/**
 * Exactly one value, a whole number: KEDA sums several, rounds fractions up, and takes what is not a number for 0.
 *
 * Throws unavailable before the first plan and when the board is older than `staleAfterMs`; KEDA's `fallback` takes over then.
 */
export function metricsOf(
  pipeline: AnsweredPipeline,
  stage: AskedStage,
  board: AnsweredBoard | null,
  nowMs: number,
  staleAfterMs: number,
): GetMetricsResponse {
  const name = `${formatKey(pipeline.key)}/${stage.name}`;
  const found = stageOf(board, stage.name);
  if (!board?.plan || !found)
    throw new VariscaleError(
      "unavailable",
      `there is no plan for ${name} yet: it is made from the first load data of source \`${pipeline.loadSource}\``,
    );
  // One of a time to come is of before the clock was set back: how old it is nobody knows.
  const ageMs = Math.abs(nowMs - board.atMs);
  if (ageMs > staleAfterMs)
    throw new VariscaleError(
      "unavailable",
      `the decision for ${name} is ${Math.round(ageMs / 1000)} s old, more than the ${staleAfterMs / 1000} s allowed: its control loop is stuck, or the scaler that leads is not heard of; see the conditions Ticking, LeaderKnown and BoardShared`,
    );
  const replicas = found.metricValue;
  if (!Number.isSafeInteger(replicas) || replicas < 0)
    throw new VariscaleError("unavailable", `${String(replicas)} is no replica count for ${name}: it is not passed on`);
  return {
    metricValues: [{ metricName: metricNameOf(pipeline, stage), metricValue: replicas, metricValueFloat: replicas }],
  };
}

/** Whether the stage should run at all; without a plan it should, because no data never means none are needed. */
export function isActive(stage: AskedStage, board: AnsweredBoard | null): boolean {
  return !board?.plan || (stageOf(board, stage.name)?.active ?? true);
}

/** Whether activity of a stage that may go to zero is worth repeating: KEDA loses the first one when it comes before the ScaledObject's status is written. */
export function isAtZero(stage: AskedStage, board: AnsweredBoard | null): boolean {
  return stage.replicas.min === 0 && stageOf(board, stage.name)?.replicasReady === 0;
}

function stageOf(board: AnsweredBoard | null, name: string): AnsweredStage | undefined {
  return board?.stages.find(stage => stage.stage === name);
}
