import type { Part } from "../domain/configuration.ts";
import { compositeOptions } from "./composite-options.ts";
import { hpaReplicas } from "./hpa-replicas.ts";
import type { StageLatency } from "./latency.ts";
import { neededReplicas } from "./needed-replicas.ts";
import { reachableCount } from "./reachable-count.ts";
import { replicasPrice, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { type Choice, latencyOf } from "./served-latency.ts";
import type { Totals } from "./totals.ts";
import { type Cumulative, cumulativeOf, entriesFor } from "./wait-distribution.ts";

/** One way to serve a stage with a given variant. */
export interface Option extends Totals {
  readonly batch: number;
  readonly replicas: number;
  /** Distribution of the latency beyond `constantMs`. */
  readonly cumulative: Cumulative;
  /** Of variants that serve together. */
  readonly parts?: readonly Part[];
}

/** The options of one variant of a stage that no other of them beats, cheapest first. */
export interface OptionList {
  readonly options: readonly Option[];
  /** Never above any option's. */
  readonly least: Totals;
  /** Relative to `least.constantMs`, never below the distribution of any option. */
  readonly envelope: Cumulative;
  /** Options that were computed, those that were beaten included. */
  readonly size: number;
}

/** Replica counts tried above the fewest that can serve the load; in steps of a sixteenth where there are many. */
const EXTRA_REPLICAS = 4;
/** Of requests, whatever the SLO allows: those that are late count as wrong. */
const MOST_LATE = 0.05;
/** More replicas are not tried when no more than this share of the requests that may be late wait at all. */
const WAIT_PART = 0.2;
/** The same beyond the counts that are always tried. */
const WAIT_PART_BEYOND = 0.5;

/**
 * `rows`: rows of one request at this stage. An empty list: more replicas are needed than allowed, or all take more than
 * `mostPrice`.
 */
export function stageOptions(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  mostPrice: number,
): OptionList {
  const all = allOptions(scope, stage, variant, rows, mostPrice);
  return { ...listOf(scope, all), size: all.length };
}

/** Every option that the search chooses from, those that others beat included. */
export function allOptions(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  mostPrice = Infinity,
): Option[] {
  if (variant.members.length > 0) return compositeOptions(scope, stage, variant, rows, mostPrice);
  const lateShare = Math.min(MOST_LATE, 1 - scope.problem.pipeline.slo.quantile);
  return variant.batches.flatMap(batch => {
    const counts = replicaCounts(scope, stage, variant, rows, batch);
    const options: Option[] = [];
    const most = counts.at(-1) ?? 0;
    for (const replicas of [...counts, ...countsBeyond(scope, stage, most)]) {
      if (priceOf(scope, stage, variant, batch, replicas) > mostPrice) break;
      const latency = latencyOf(scope, stage, variant, { rows, batch, replicas });
      options.push(optionOf(scope, stage, variant, { rows, batch, replicas }, latency));
      if (latency.waitShare <= WAIT_PART * lateShare && replicas * batch >= rows) break;
      if (replicas >= most && latency.waitShare <= WAIT_PART_BEYOND * lateShare) break;
    }
    return options;
  });
}

function optionOf(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  choice: Choice,
  latency: StageLatency,
): Option {
  const cores = choice.replicas * variant.cores;
  const msPerRow = variant.service.meanMs(choice.batch) / choice.batch;
  return {
    batch: choice.batch,
    replicas: choice.replicas,
    cores,
    costPerHour: choice.replicas * (stage.stage.costPerHour ?? 0),
    workCores: (scope.rateRps / 1000) * choice.rows * msPerRow * variant.cores,
    price: priceOf(scope, stage, variant, choice.batch, choice.replicas),
    constantMs: latency.constantMs,
    cumulative: cumulativeOf(latency, scope.stepMs, entriesFor(scope.stepMs, scope.sloMs - latency.constantMs) - 1),
  };
}

function priceOf(scope: Scope, stage: ScopeStage, variant: ScopeVariant, batch: number, replicas: number): number {
  return replicasPrice(scope, stage, variant, replicas) + scope.problem.pipeline.objective.weights.batch * batch;
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

function listOf(scope: Scope, all: readonly Option[]): Omit<OptionList, "size"> {
  const sorted = all.toSorted((a, b) => a.price - b.price || a.constantMs - b.constantMs || a.batch - b.batch);
  const options: Option[] = [];
  for (const option of sorted) if (!options.some(other => beats(scope, other, option))) options.push(option);
  const least = {
    cores: Math.min(...options.map(option => option.cores)),
    costPerHour: Math.min(...options.map(option => option.costPerHour)),
    workCores: Math.min(...options.map(option => option.workCores)),
    price: Math.min(...options.map(option => option.price)),
    constantMs: Math.min(...options.map(option => option.constantMs)),
  };
  return { options, least, envelope: envelopeOf(scope, options, least.constantMs) };
}

function beats(scope: Scope, a: Option, b: Option): boolean {
  if (a.price > b.price || a.cores > b.cores || a.constantMs > b.constantMs) return false;
  if (a.costPerHour > b.costPerHour) return false;
  if (scope.problem.limits.machineCores !== null && a.workCores > b.workCores) return false;
  return b.cumulative.every((chance, i) => chance <= (a.cumulative[i] ?? 0));
}

/** At least as high as the distribution of every option, all relative to `constantMs`. */
export function envelopeOf(scope: Scope, options: readonly Option[], constantMs: number): Cumulative {
  const envelope = new Float64Array(entriesFor(scope.stepMs, scope.sloMs - constantMs));
  for (const option of options) {
    const shift = Math.floor((option.constantMs - constantMs) / scope.stepMs);
    for (let i = shift; i < envelope.length; i++) {
      envelope[i] = Math.max(envelope[i] ?? 0, option.cumulative[i - shift] ?? 1);
    }
  }
  return envelope;
}
