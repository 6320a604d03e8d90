import { Gauge, type Registry } from "prom-client";
import { CONDITION_TYPES, type PipelineBoard } from "../control/board.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import { QUANTILES } from "../domain/load.ts";
import { findStage, findVariant, type Pipeline } from "../domain/pipeline.ts";
import { REASONS } from "../domain/plan.ts";
import type { ProcessCondition } from "./process-conditions.ts";

const PIPELINE = ["namespace", "pipeline"] as const;

/** What is true of one pipeline now. */
export interface PipelineFacts {
  readonly pipeline: Pipeline;
  readonly board: PipelineBoard;
  readonly switchers: readonly SwitcherView[];
  readonly processConditions: readonly ProcessCondition[];
  readonly rejectedSamples: number;
}

/**
 * Gauges of boards and switchers, filled when they are asked for. Labels come from pipeline files and closed sets alone, so that
 * their number is bounded whatever a switcher says.
 *
 * @returns a function that fills the gauges.
 */
export function createBoardMetrics(registry: Registry): (facts: readonly PipelineFacts[], nowMs: number) => void {
  const gauges: Gauge[] = [];
  const gauge = (name: string, help: string, labels: readonly string[] = []): Gauge => {
    const made = new Gauge({ name, help, labelNames: [...PIPELINE, ...labels], registers: [registry] });
    gauges.push(made as Gauge);
    return made as Gauge;
  };
  const fills = [planGauges(gauge), stageGauges(gauge), stateGauges(gauge)];
  return (facts, nowMs) => {
    for (const one of gauges) one.reset();
    for (const fact of facts) for (const fill of fills) fill(fact, nowMs);
  };
}

type MakeGauge = (name: string, help: string, labels?: readonly string[]) => Gauge;
type Fill = (facts: PipelineFacts, nowMs: number) => void;

function planGauges(gauge: MakeGauge): Fill {
  const load = gauge("variscale_load_requests_per_second", "Offered load of the newest second");
  const forecast = gauge("variscale_forecast_requests_per_second", "Forecast of the peak in the horizon", ["quantile"]);
  const reactive = gauge("variscale_reactive_requests_per_second", "What is needed for the load as it is now");
  const rate = gauge("variscale_plan_requests_per_second", "Entry rate that the plan was made for");
  const shed = gauge("variscale_plan_shed_requests_per_second", "Entry rate that the plan can't serve");
  const feasible = gauge("variscale_plan_feasible", "1: the plan meets every constraint");
  const cores = gauge("variscale_plan_cores", "Cores of all planned replicas");
  const accuracy = gauge("variscale_plan_accuracy_ratio", "Predicted share of answered items that are right");
  const effective = gauge("variscale_plan_effective_accuracy_ratio", "Accuracy with late and shed requests as wrong");
  const latency = gauge("variscale_plan_latency_seconds", "Predicted end to end, at the quantile of the SLO");
  const age = gauge("variscale_decision_age_seconds", "Since the plan was made");
  const boardAge = gauge("variscale_board_age_seconds", "Since the newest tick that succeeded");
  return ({ board }, nowMs) => {
    const labels = labelsOf(board);
    boardAge.set(labels, (nowMs - board.atMs) / 1000);
    if (board.load) load.set(labels, board.load.rateRps);
    if (board.forecast) {
      for (const [i, quantile] of QUANTILES.entries())
        forecast.set({ ...labels, quantile: String(quantile) }, board.forecast.peakRps[i] ?? 0);
      reactive.set(labels, board.forecast.reactiveRps);
    }
    const { plan } = board;
    if (!plan) return;
    rate.set(labels, plan.rateRps);
    shed.set(labels, plan.shedRps);
    feasible.set(labels, plan.feasible ? 1 : 0);
    cores.set(labels, plan.cores);
    accuracy.set(labels, plan.accuracy);
    effective.set(labels, plan.effectiveAccuracy);
    latency.set(labels, plan.latencyMs / 1000);
    if (board.planAtMs !== null) age.set(labels, (nowMs - board.planAtMs) / 1000);
  };
}

function stageGauges(gauge: MakeGauge): Fill {
  const now = gauge("variscale_replicas", "Replicas that KEDA is told", ["stage"]);
  const goal = gauge("variscale_replicas_goal", "Replicas of the plan", ["stage"]);
  const ready = gauge("variscale_replicas_ready", "Replicas that are ready", ["stage"]);
  const active = gauge("variscale_stage_active", "0: the stage may be at zero", ["stage"]);
  const correction = gauge("variscale_service_time_correction_ratio", "Measured over profiled service time", ["stage"]);
  const planned = gauge("variscale_planned_variant_replicas", "Replicas of the plan, by variant", ["stage", "variant"]);
  const batch = gauge("variscale_planned_batch_rows", "Batch size of the plan, by variant", ["stage", "variant"]);
  const serving = gauge("variscale_switchers", "Connected switchers, by what they serve", [
    "stage",
    "variant",
    "ready",
  ]);
  const queued = gauge("variscale_queued_rows", "Rows in the queues of connected switchers", ["stage"]);
  return ({ pipeline, board, switchers }) => {
    const labels = labelsOf(board);
    for (const stage of board.stages) {
      const of = { ...labels, stage: stage.stage };
      now.set(of, stage.replicasNow);
      goal.set(of, stage.replicasGoal);
      ready.set(of, stage.replicasReady);
      active.set(of, stage.active ? 1 : 0);
      correction.set(of, board.corrections[stage.stage] ?? 1);
      queued.set(of, 0);
    }
    for (const stage of board.plan?.stages ?? []) {
      for (const part of stage.parts) {
        planned.inc({ ...labels, stage: stage.stage, variant: part.variant }, part.replicas);
        batch.set({ ...labels, stage: stage.stage, variant: part.variant }, part.batch);
      }
    }
    for (const view of switchers) {
      const stage = findStage(pipeline, view.stage);
      const variant = stage && findVariant(stage, view.variant) ? view.variant : "unknown";
      serving.inc({ ...labels, stage: view.stage, variant, ready: view.ready ? "true" : "false" });
      queued.inc({ ...labels, stage: view.stage }, view.queuedRows);
    }
  };
}

function stateGauges(gauge: MakeGauge): Fill {
  const mode = gauge("variscale_shadow_mode", "1: decisions are published and not acted on");
  const guarding = gauge("variscale_guarding", "1: the guard has taken over the variants");
  const reason = gauge("variscale_decision_reason", "1: the reason holds now", ["reason"]);
  const condition = gauge("variscale_condition", "1: the condition is true", ["type"]);
  const rejected = gauge("variscale_load_samples_rejected", "Load samples left out since the start");
  return ({ board, processConditions, rejectedSamples }) => {
    const labels = labelsOf(board);
    mode.set(labels, board.mode === "shadow" ? 1 : 0);
    guarding.set(labels, board.guarding ? 1 : 0);
    rejected.set(labels, rejectedSamples);
    for (const one of REASONS) reason.set({ ...labels, reason: one }, board.reasons.includes(one) ? 1 : 0);
    for (const type of CONDITION_TYPES) {
      const found = board.conditions.find(one => one.type === type);
      if (found) condition.set({ ...labels, type }, found.status ? 1 : 0);
    }
    for (const one of processConditions) condition.set({ ...labels, type: one.type }, one.status ? 1 : 0);
  };
}

function labelsOf(board: PipelineBoard): { readonly namespace: string; readonly pipeline: string } {
  return { namespace: board.key.namespace, pipeline: board.key.name };
}
