import { hpaReplicas } from "./hpa-replicas.ts";
import type { StageLatency } from "./latency.ts";
import { neededReplicas } from "./needed-replicas.ts";
import { reachableCount } from "./reachable-count.ts";
import type { Scope, ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { type Choice, latencyOf } from "./served-latency.ts";

/** Replica counts tried above the fewest that can serve the load; in steps of a sixteenth where there are many. */
const EXTRA_REPLICAS = 4;
/** Of requests, whatever the SLO allows: those that are late count as wrong. */
const MOST_LATE = 0.05;
/** More replicas are not tried when no more than this share of the requests that may be late wait at all. */
const WAIT_PART = 0.2;
/** The same beyond the counts that are always tried. */
const WAIT_PART_BEYOND = 0.5;

/** What so many replicas make of a stage's latency. */
interface CountedLatency {
  readonly replicas: number;
  readonly latency: StageLatency;
}

/**
 * The counts that are looked at with one batch size, fewest first, and what they make of latency: until so few requests wait that more
 * replicas gain next to nothing, or may not be had. `share`: of the rows.
 */
export function countedLatencies(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  { rows, batch }: Pick<Choice, "rows" | "batch">,
  share = 1,
  mayHave: (replicas: number) => boolean = () => true,
): CountedLatency[] {
  const lateShare = Math.min(MOST_LATE, 1 - scope.problem.pipeline.slo.quantile);
  const counts = replicaCounts(scope, stage, variant, rows * share, batch);
  const most = counts.at(-1) ?? 0;
  const found: CountedLatency[] = [];
  /** False: no more are worth looking at. */
  const look = (replicas: number): boolean => {
    if (!mayHave(replicas)) return false;
    const latency = latencyOf(scope, stage, variant, { rows, batch, replicas }, share);
    found.push({ replicas, latency });
    if (latency.waitShare <= WAIT_PART * lateShare && replicas * batch >= rows * share) return false;
    return !(replicas >= most && latency.waitShare <= WAIT_PART_BEYOND * lateShare);
  };
  if (counts.every(look)) countsBeyond(scope, stage, most).every(look);
  return found;
}

/** The fewest replicas that may serve a stage and that its HPA can be brought to; null: none can serve so many rows. */
export function fewestReplicas(scope: Scope, stage: ScopeStage, rows: number, rowsPerMs: number): number | null {
  const needed = neededReplicas(scope, stage, rows, rowsPerMs);
  if (stage.pinnedReplicas !== null) return stage.pinnedReplicas >= needed ? stage.pinnedReplicas : null;
  const asked = scope.policy.replicas === "hpa" ? Math.min(stage.maxReplicas, byHpa(scope, stage, rows, rowsPerMs)) : 0;
  const fewest = Math.max(stage.minReplicas, needed, asked);
  const reached = reachableCount(fewest, stage.maxReplicas, stage.scaling).replicas;
  return reached >= fewest && reached <= stage.maxReplicas ? reached : null;
}

function byHpa(scope: Scope, stage: ScopeStage, rows: number, rowsPerMs: number): number {
  const wanted = (scope.rateRps * rows + stage.othersRps) / (1000 * scope.hpaTarget * rowsPerMs);
  const recommended = [scope.problem.recommended?.[stage.stage.name] ?? 0];
  return hpaReplicas({ current: stage.currentReplicas, wanted, recommended });
}

/** Counts above `most` in steps of an eighth, up to the most allowed: for where more requests wait than may be late even so. */
export function countsBeyond(scope: Scope, stage: ScopeStage, most: number): number[] {
  if (most === 0 || stage.pinnedReplicas !== null || scope.policy.replicas === "hpa") return [];
  const counts: number[] = [];
  for (let n = most; n < stage.maxReplicas; ) {
    n = Math.min(stage.maxReplicas, n + Math.max(1, Math.round(n / 8)));
    const reached = reachableCount(n, stage.maxReplicas, stage.scaling).replicas;
    if (reached > (counts.at(-1) ?? most) && reached <= stage.maxReplicas) counts.push(reached);
  }
  return counts;
}

export function replicaCounts(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  batch: number,
): number[] {
  const fewest = fewestReplicas(scope, stage, rows, batch / variant.service.meanMs(batch));
  if (fewest === null) return [];
  if (stage.pinnedReplicas !== null || scope.policy.replicas === "hpa") return [fewest];
  const counts = new Set<number>();
  const step = Math.max(1, Math.round(fewest / 16));
  for (let i = 0; i <= EXTRA_REPLICAS; i++) counts.add(fewest + i * step);
  // The counts at which the batches of one request need a round less.
  const batches = Math.ceil(rows / batch);
  for (let rounds = 1; rounds <= EXTRA_REPLICAS; rounds++) counts.add(Math.ceil(batches / rounds));
  const reachable = [...counts].map(count => reachableCount(count, stage.maxReplicas, stage.scaling).replicas);
  return [...new Set(reachable)].filter(n => n >= fewest && n <= stage.maxReplicas).sort((a, b) => a - b);
}
