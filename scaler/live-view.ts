import type { PipelineBoard } from "../control/board.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import type { LiveBoard, LiveLadder, LiveStageView, LiveView } from "../dashboard/live-view.ts";
import type { Assignment } from "../domain/assignment.ts";
import type { Stage } from "../domain/pipeline.ts";
import type { LiveRecorder } from "./live-recorder.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { PageSources } from "./pipeline-page.ts";
import type { RecentBatches } from "./served-batches.ts";

export interface LiveSources extends PageSources {
  readonly recorder: LiveRecorder;
}

/** What the page shows of one pipeline, with the points of its history that are later than `afterMs`. */
export function liveView(sources: LiveSources, control: PipelineControl, afterMs: number): LiveView {
  const { boards, registry, conditions, clock, recorder } = sources;
  const { key, slo, mode: fileMode, objective, stages } = control.pipeline;
  const nowMs = clock.nowMs();
  const board = boards.latest(key);
  const views = registry.views(key, nowMs);
  const { history, batches, shadow } = recorder.of(key);
  return {
    key,
    nowMs,
    mode: control.settings.mode,
    fileMode,
    slo: { latencyMs: slo.latencyMs, quantile: slo.quantile },
    policy: objective.policy,
    board: board && liveBoard(board),
    stages: stages.map(stage => {
      const shadowShares = shadow.find(stage.name)?.shares ?? [];
      return { ...liveStage(stage, board, views, batches.find(stage.name)), shadowShares };
    }),
    pins: control.settings.pins(nowMs).map(({ stage, variant, batch, replicas, reason, by, expiresAtMs }) => ({
      stage,
      variant,
      batch,
      replicas,
      reason,
      by,
      expiresAtMs,
    })),
    changes: control.settings.changes,
    lastMinute: recorder.lastMinute(key),
    problems: conditions
      .of(key)
      .filter(({ status }) => !status)
      .map(({ type, message }) => `${type}: ${message}`),
    history: history.after(afterMs),
  };
}

function liveBoard(board: PipelineBoard): LiveBoard {
  const { atMs, decisionId, planAtMs, plan, forecast, load, reasons, conditions, estimated, served } = board;
  return { atMs, decisionId, planAtMs, plan, forecast, load, reasons, conditions, estimated, served };
}

function liveStage(
  stage: Stage,
  board: PipelineBoard | null,
  views: readonly SwitcherView[],
  recent: ReturnType<RecentBatches["find"]>,
): Omit<LiveStageView, "shadowShares"> {
  const own = views.filter(view => view.stage === stage.name);
  const staged = board?.stages.find(other => other.stage === stage.name);
  return {
    stage: stage.name,
    dependsOn: stage.dependsOn,
    variants: stage.variants.map(variant => variant.name),
    replicasNow: staged?.replicasNow ?? 0,
    replicasGoal: staged?.replicasGoal ?? 0,
    replicasReady: staged?.replicasReady ?? 0,
    serving: servingOf(own),
    ladder: staged?.newcomer ? describeLadder(staged.newcomer) : null,
    rowShares: recent?.shares ?? [],
    queuedRows: own.reduce((sum, view) => sum + view.queuedRows, 0),
    queueAgeMs: Math.max(0, ...own.map(view => view.queueAgeMs)),
    batchRows: recent?.rows ?? null,
    fanOut: board?.fanOuts[stage.name] ?? null,
    batch: own.length === 0 ? null : Math.max(...own.map(view => view.batch)),
  };
}

function describeLadder({ top, floor, rungs, shadow }: Assignment): LiveLadder {
  return { top, floor, rungs, shadow };
}

function servingOf(views: readonly SwitcherView[]): LiveStageView["serving"] {
  const counts = new Map<string, number>();
  for (const { ready, variant } of views) if (ready) counts.set(variant, (counts.get(variant) ?? 0) + 1);
  return [...counts].map(([variant, replicas]) => ({ variant, replicas }));
}
