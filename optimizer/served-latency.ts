import { visitedShare } from "./group-size.ts";
import { type StageLatency, type StageLoad, stageLatency } from "./latency.ts";
import { type Scope, type ScopeStage, workingReplicas } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";

/** How a variant serves a stage. */
export interface Choice {
  /** Rows of one request at the stage. */
  readonly rows: number;
  readonly batch: number;
  readonly replicas: number;
}

const CONSTANT: StageLatency = {
  constantMs: 0,
  service: [{ share: 1, moreMs: 0, firstMs: 0, secondMs: 0, secondShare: 0 }],
  waitShare: 0,
  residualMs: 0,
  residualServers: 1,
  growthMs: 0,
  growthMaxMs: 0,
  backlogShare: 0,
  backlogMs: 0,
  slowestOf: 1,
};

/** As good as never. */
const LONGEST_MS = 1e12;

/** Predicted latency of a stage whose replicas serve `share` of its rows with one variant and batch, by the scope's model. */
export function latencyOf(
  scope: Scope,
  { othersRps }: ScopeStage,
  variant: ScopeVariant,
  choice: Choice,
  share = 1,
): StageLatency {
  if (choice.rows <= 0) return CONSTANT;
  if (scope.policy.latency !== "queueing")
    return { ...CONSTANT, constantMs: plainLatencyMs(scope, othersRps, variant, choice.rows * share, choice.batch) };
  const load = {
    rowRps: (scope.rateRps * choice.rows + othersRps) * share,
    groupRows: choice.rows,
    rowShare: share,
    replicas: workingReplicas(scope, variant, choice.replicas),
    batch: choice.batch,
    service: variant.service,
  };
  return scope.problem.pipeline.objective.balancing === "random" ? atRandom(load) : stageLatency(load);
}

/** Service time of a full batch, and with `paper` (b − 1)/λ until it has filled. */
export function plainLatencyMs(
  scope: Scope,
  othersRps: number,
  variant: ScopeVariant,
  rows: number,
  batch: number,
): number {
  if (rows <= 0) return 0;
  const serviceMs = variant.service.meanMs(batch);
  const fillMs =
    scope.policy.latency === "paper" && batch > 1 ? (1000 * (batch - 1)) / (scope.rateRps * rows + othersRps) : 0;
  return Math.min(LONGEST_MS, serviceMs + fillMs);
}

/**
 * Rows go to any of the n replicas: each is a queue of its own with λ/n. A request with K rows visits n·(1 − (1 − 1/n)^K) of them,
 * binomially many rows going to each, and waits for the slowest.
 */
export function atRandom(load: StageLoad): StageLatency {
  const n = Math.max(1, load.replicas);
  const rows = Math.max(1, load.groupRows);
  const rowShare = (load.rowShare ?? 1) / n;
  const one = stageLatency({ ...load, rowRps: load.rowRps / n, rowShare, replicas: 1 });
  return {
    ...one,
    slowestOf: Math.max(1, (n * visitedShare(rows, rowShare)) / visitedShare(rows, load.rowShare ?? 1)),
  };
}
