import { setImmediate } from "node:timers/promises";
import { CONDITION_TYPES, type PipelineBoard } from "../control/board.ts";
import type { SwitcherView } from "../control/switcher-view.ts";
import type { TickInput } from "../control/tick-input.ts";
import { QUANTILES } from "../domain/load.ts";
import { findStage, findVariant, type Pipeline } from "../domain/pipeline.ts";
import { REASONS } from "../domain/plan.ts";
import { type AddSample, Exposition } from "./exposition.ts";
import type { PipelineControl } from "./pipeline-control.ts";
import type { ProcessCondition } from "./process-conditions.ts";

/** What is true of one pipeline now. */
export interface PipelineFacts {
  readonly pipeline: Pipeline;
  readonly board: PipelineBoard;
  readonly switchers: readonly SwitcherView[];
  readonly scaling: TickInput["scaling"];
  readonly processConditions: readonly ProcessCondition[];
  readonly control: Pick<PipelineControl, "rejectedSamples" | "newestLoadAtMs" | "forecastStatus" | "model">;
}

const PIPELINE = ["namespace", "pipeline"] as const;

type MakeGauge = (name: string, help: string, labels?: readonly string[]) => AddSample;
type Add = (facts: PipelineFacts, nowMs: number) => void;

/** Pipelines that are written in one turn of the event loop: about a millisecond's work. */
const PIPELINES_A_TURN = 5;

/**
 * Metrics of boards and switchers, in pieces of the Prometheus text format. Labels come from pipeline files and closed sets alone, so
 * that their number is bounded whatever a switcher says. Other work has its turns in between.
 */
export async function boardMetrics(facts: readonly PipelineFacts[], nowMs: number): Promise<readonly Buffer[]> {
  const exposition = new Exposition();
  const adds = boardFamilies(exposition);
  for (const [i, fact] of facts.entries()) {
    if (i > 0 && i % PIPELINES_A_TURN === 0) await setImmediate();
    for (const add of adds) add(fact, nowMs);
  }
  return exposition.pieces();
}

/** Declares all of them; what comes back adds the samples of one pipeline. */
export function boardFamilies(exposition: Pick<Exposition, "family">): readonly Add[] {
  const gauge: MakeGauge = (name, help, labels = []) =>
    exposition.family("gauge", `variscale_${name}`, help, [...PIPELINE, ...labels]);
  return [
    planGauges(gauge),
    stageGauges(gauge),
    stateGauges(gauge, exposition),
    forecastGauges(gauge),
    rejectedSamples(exposition),
  ];
}

function planGauges(gauge: MakeGauge): Add {
  const load = gauge("load_requests_per_second", "Offered load of the newest second");
  const forecast = gauge("forecast_requests_per_second", "Forecast of the peak in the horizon", ["quantile"]);
  const reactive = gauge("reactive_requests_per_second", "What is needed for the load as it is now");
  const rate = gauge("plan_requests_per_second", "Entry rate that the plan was made for");
  const shed = gauge("plan_shed_requests_per_second", "Entry rate that the plan can't serve");
  const attainment = gauge("attainment_factor_ratio", "Plans are for so many times the load, as it is answered late");
  const feasible = gauge("plan_feasible", "1: the plan meets every constraint");
  const cores = gauge("plan_cores", "Cores of all planned replicas");
  const estimated = gauge("estimated_accuracy_ratio", "Share of recent answers that are right, by estimate");
  const measured = gauge("measured_accuracy_ratio", "What was measured before of the variants that gave them");
  const accuracy = gauge("plan_accuracy_ratio", "Predicted share of answered items that are right");
  const effective = gauge("plan_effective_accuracy_ratio", "Accuracy with late and shed requests as wrong");
  const served = gauge("served_accuracy_ratio", "Predicted share that is right with the variants that are served");
  const latency = gauge("plan_latency_seconds", "Predicted end to end, at the quantile of the SLO");
  const age = gauge("decision_age_seconds", "Since the plan was made");
  const boardAge = gauge("board_age_seconds", "Since the newest tick that succeeded");
  return ({ board }, nowMs) => {
    const labels = labelsOf(board);
    boardAge(labels, (nowMs - board.atMs) / 1000);
    if (board.load) load(labels, board.load.rateRps);
    if (board.forecast) {
      for (const [i, quantile] of QUANTILES.entries())
        forecast([...labels, String(quantile)], board.forecast.peakRps[i] ?? 0);
      reactive(labels, board.forecast.reactiveRps);
    }
    if (board.estimated) {
      estimated(labels, board.estimated.accuracy);
      measured(labels, board.estimated.measured);
    }
    const { plan } = board;
    if (board.served?.accuracy != null) served(labels, board.served.accuracy);
    if (!plan) return;
    rate(labels, plan.rateRps);
    attainment(labels, board.attainmentFactor);
    shed(labels, plan.shedRps);
    feasible(labels, plan.feasible ? 1 : 0);
    cores(labels, plan.cores);
    if (plan.isAccuracyKnown) {
      accuracy(labels, plan.accuracy);
      effective(labels, plan.effectiveAccuracy);
    }
    latency(labels, plan.latencyMs / 1000);
    if (board.planAtMs !== null) age(labels, (nowMs - board.planAtMs) / 1000);
  };
}

function stageGauges(gauge: MakeGauge): Add {
  const now = gauge("replicas", "Replicas that there should be now", ["stage"]);
  const goal = gauge("replicas_goal", "Replicas of the plan", ["stage"]);
  const ready = gauge("replicas_ready", "Replicas that are ready", ["stage"]);
  const active = gauge("stage_active", "0: the stage may be at zero", ["stage"]);
  const correction = gauge("service_time_correction_ratio", "Measured over profiled service time", ["stage"]);
  const planned = gauge("planned_variant_replicas", "Replicas of the plan, by variant", ["stage", "variant"]);
  const batch = gauge("planned_batch_rows", "Batch size of the plan, by variant", ["stage", "variant"]);
  const serving = gauge("switchers", "Connected switchers, by what they serve", ["stage", "variant", "ready"]);
  const differing = gauge("differing_replicas", "Ready replicas that serve another variant than is planned", ["stage"]);
  const queued = gauge("queued_rows", "Rows in the queues of connected switchers", ["stage"]);
  const tolerance = gauge("hpa_tolerance_ratio", "Changes that the live HPA leaves undone", ["stage", "direction"]);
  return ({ pipeline, board, switchers, scaling }) => {
    const labels = labelsOf(board);
    for (const stage of board.stages) {
      const of = [...labels, stage.stage];
      const views = switchers.filter(view => view.stage === stage.stage);
      const live = scaling[stage.stage];
      if (live) {
        tolerance([...of, "up"], live.toleranceUp);
        tolerance([...of, "down"], live.toleranceDown);
      }
      now(of, stage.replicasNow);
      goal(of, stage.replicasGoal);
      ready(of, stage.replicasReady);
      active(of, stage.active ? 1 : 0);
      correction(of, board.corrections[stage.stage] ?? 1);
      queued(
        of,
        views.reduce((sum, view) => sum + view.queuedRows, 0),
      );
      for (const [served, count] of servedBy(pipeline, views)) serving([...of, ...served.split("\n")], count);
    }
    for (const stage of board.served?.stages ?? []) differing([...labels, stage.stage], stage.differing);
    for (const stage of board.plan?.stages ?? []) {
      const parts = new Map(stage.parts.map(part => [part.variant, part]));
      for (const [variant, part] of parts) {
        const same = stage.parts.filter(other => other.variant === variant);
        planned(
          [...labels, stage.stage, variant],
          same.reduce((sum, other) => sum + other.replicas, 0),
        );
        batch([...labels, stage.stage, variant], part.batch);
      }
    }
  };
}

/** Switchers of a stage by what they serve and whether they are ready; a variant that the pipeline file does not have is unknown. */
function servedBy(pipeline: Pipeline, views: readonly SwitcherView[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const view of views) {
    const stage = findStage(pipeline, view.stage);
    const variant = stage && findVariant(stage, view.variant) ? view.variant : "unknown";
    const served = `${variant}\n${view.ready ? "true" : "false"}`;
    counts.set(served, (counts.get(served) ?? 0) + 1);
  }
  return counts;
}

function stateGauges(gauge: MakeGauge, exposition: Pick<Exposition, "family">): Add {
  const mode = gauge("shadow_mode", "1: decisions are published and not acted on");
  const trying = gauge("trial", "1: a combination that may be better serves for a short time, as accuracy has drifted");
  const most = gauge("trial_most_accuracy_ratio", "What a combination that is tried may be right in at best");
  const begun = exposition.family("counter", "variscale_trials_total", "Trials begun", PIPELINE);
  const reason = gauge("decision_reason", "1: the reason holds now", ["reason"]);
  const condition = gauge("condition", "1: the condition is true", ["type"]);
  const loadAge = gauge("load_age_seconds", "Since the second that the newest load sample is of");
  return ({ board, processConditions, control: { newestLoadAtMs } }, nowMs) => {
    const labels = labelsOf(board);
    mode(labels, board.mode === "shadow" ? 1 : 0);
    trying(labels, board.trial ? 1 : 0);
    if (board.trial) most(labels, board.trial.mostAccuracy);
    begun(labels, board.trials);
    if (newestLoadAtMs !== null) loadAge(labels, (nowMs - newestLoadAtMs) / 1000);
    for (const one of REASONS) reason([...labels, one], board.reasons.includes(one) ? 1 : 0);
    for (const type of CONDITION_TYPES) {
      const found = board.conditions.find(one => one.type === type);
      if (found) condition([...labels, type], found.status ? 1 : 0);
    }
    for (const one of processConditions) condition([...labels, one.type], one.status ? 1 : 0);
  };
}

function forecastGauges(gauge: MakeGauge): Add {
  const weight = gauge("forecast_expert_weight", "Share of an expert in forecasts of a horizon", ["horizon", "expert"]);
  const coverage = gauge("forecast_coverage_ratio", "How often the peak of late stayed at or below the quantile", [
    "horizon",
    "quantile",
  ]);
  const model = gauge("forecast_model", "1: the model that the network forecasts with", ["model"]);
  const age = gauge("forecast_training_age_seconds", "Since the pipeline's own model was last trained");
  return ({ board, control: { forecastStatus, model: inUse } }, nowMs) => {
    const labels = labelsOf(board);
    for (const horizon of forecastStatus) {
      const of = [...labels, String(horizon.horizonSeconds)];
      for (const [expert, share] of Object.entries(horizon.weights)) weight([...of, expert], share);
      for (const [i, quantile] of QUANTILES.entries()) coverage([...of, String(quantile)], horizon.coverage[i] ?? 0);
    }
    model([...labels, inUse.name], 1);
    if (inUse.training) age(labels, (nowMs - inUse.training.atMs) / 1000);
  };
}

function labelsOf(board: PipelineBoard): readonly [string, string] {
  return [board.key.namespace, board.key.name];
}

function rejectedSamples(exposition: Pick<Exposition, "family">): Add {
  const name = "variscale_load_samples_rejected_total";
  const rejected = exposition.family("counter", name, "Load samples left out", PIPELINE);
  return ({ board, control }) => rejected(labelsOf(board), control.rejectedSamples);
}
