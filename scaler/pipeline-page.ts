import { type PipelineBoard, plainBoard } from "../control/board.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import type { Assignment } from "../domain/assignment.ts";
import type { PipelineKey } from "../domain/pipeline.ts";
import type { BoardStore } from "./board-store.ts";
import type { Clock } from "./clock.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { ProcessConditions } from "./process-conditions.ts";
import { type Switcher, type SwitcherRegistry, viewOf } from "./switcher-registry.ts";

export interface PageSources {
  readonly boards: BoardStore;
  readonly registry: SwitcherRegistry;
  readonly conditions: ProcessConditions;
  readonly clock: Clock;
}

/** Everything about one pipeline, as JSON for `GET /api/v1/pipelines/{namespace}/{name}`. */
export function showPipeline(sources: PageSources, control: PipelineControl): unknown {
  const { boards, registry, conditions, clock } = sources;
  const { key } = control.pipeline;
  const nowMs = clock.nowMs();
  const board = boards.latest(key);
  return {
    ...key,
    nowMs,
    mode: control.settings.mode,
    fileMode: control.pipeline.mode,
    epoch: control.epoch,
    slo: control.pipeline.slo,
    objective: control.pipeline.objective,
    board: board && plainBoard(board),
    switchers: registry.list(key).map(switcher => showSwitcher(switcher, nowMs)),
    serviceAccounts: Object.fromEntries(
      control.pipeline.stages.map(({ name, serviceAccounts }) => [name, serviceAccounts]),
    ),
    pins: control.settings.pins(nowMs),
    tuning: control.settings.tuning(nowMs),
    forecaster: {
      model: control.model.name,
      training: control.model.training,
      knownSeconds: control.knownSeconds,
      horizons: control.forecastStatus,
    },
    processConditions: conditions.of(key),
  };
}

/** One line about a pipeline, for the list. */
export function showSummary(key: PipelineKey, board: PipelineBoard | null): unknown {
  return {
    ...key,
    mode: board?.mode ?? null,
    atMs: board?.atMs ?? null,
    decisionId: board?.decisionId ?? null,
    loadRps: board?.load?.rateRps ?? null,
    feasible: board?.plan?.feasible ?? null,
    accuracy: board?.plan?.isAccuracyKnown ? board.plan.accuracy : null,
    servedAccuracy: board?.served?.accuracy ?? null,
    cores: board?.plan?.cores ?? null,
    reasons: board?.reasons ?? [],
    stages: (board?.stages ?? []).map(stage => ({
      stage: stage.stage,
      replicasNow: stage.replicasNow,
      replicasGoal: stage.replicasGoal,
      replicasReady: stage.replicasReady,
      active: stage.active,
      parts: board?.plan?.stages.find(planned => planned.stage === stage.stage)?.parts ?? [],
    })),
    conditions: board?.conditions ?? [],
  };
}

export interface SwitcherPage extends Omit<SwitcherView, "serviceTimes"> {
  /** host:port of its Open Inference Protocol REST server. */
  readonly address: string;
  readonly softwareVersion: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly usedMemoryMiB: number | null;
  readonly connectedAtMs: number;
  readonly lastReportMs: number;
  /** What it was told newest. */
  readonly assigned: Assignment | null;
  readonly offeredRows: number;
  readonly servedRows: number;
  readonly droppedRows: number;
  readonly switches: number;
  readonly variants: readonly {
    readonly variant: string;
    readonly state: string;
    readonly reason: string;
    readonly loadMs: number;
    readonly memoryMiB: number;
  }[];
}

/** A connected switcher, as people and `variscale up` see it. */
export function showSwitcher(switcher: Switcher, nowMs: number): SwitcherPage {
  const { hello, status, assigned } = switcher;
  const { serviceTimes: _, ...view } = viewOf(switcher, nowMs);
  return {
    ...view,
    address: hello.address,
    softwareVersion: hello.softwareVersion,
    cores: hello.cores,
    memoryMiB: hello.memoryMib,
    usedMemoryMiB: status?.memoryMib ?? null,
    connectedAtMs: switcher.connectedAtMs,
    lastReportMs: switcher.lastReportMs,
    assigned,
    offeredRows: status?.offeredRows ?? 0,
    servedRows: status?.servedRows ?? 0,
    droppedRows: status?.droppedRows ?? 0,
    switches: status?.switches ?? 0,
    variants: (status?.variants ?? []).map(variant => ({
      variant: variant.variant,
      state: variant.state,
      reason: variant.reason,
      loadMs: variant.loadMs,
      memoryMiB: variant.memoryMib,
    })),
  };
}
