import type { Part } from "../domain/configuration.ts";
import type { StageLatency } from "./latency.ts";
import { partsOptions } from "./parts-options.ts";
import { countedLatencies } from "./replica-counts.ts";
import { replicasPrice, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import type { Choice } from "./served-latency.ts";
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
  /** As that of `partsOptions`. */
  readonly leftBound: number;
}

/** What options are worth looking at for. */
export interface Wanted {
  /** Those that take more are of no interest. */
  readonly mostPrice: number;
  /** Of an answer in time, at most. */
  readonly worth: number;
}

/**
 * `rows`: rows of one request at this stage. An empty list: more replicas are needed than allowed, or all take more than they may.
 */
export function stageOptions(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  wanted: Wanted,
): OptionList {
  if (variant.members.length > 0) {
    const { options, leftBound, size } = partsOptions(scope, stage, variant, rows, wanted);
    return { leftBound, size, ...listOf(scope, options) };
  }
  const all = allOptions(scope, stage, variant, rows, wanted.mostPrice);
  return { leftBound: Number.NEGATIVE_INFINITY, size: all.length, ...listOf(scope, all) };
}

/** Every option of a variant by itself that the search chooses from, those that others beat included. */
export function allOptions(
  scope: Scope,
  stage: ScopeStage,
  variant: ScopeVariant,
  rows: number,
  mostPrice = Infinity,
): Option[] {
  return variant.batches.flatMap(batch => {
    const options: Option[] = [];
    const mayHave = (replicas: number) => priceOf(scope, stage, variant, batch, replicas) <= mostPrice;
    for (const { replicas, latency } of countedLatencies(scope, stage, variant, { rows, batch }, 1, mayHave))
      options.push(optionOf(scope, stage, variant, { rows, batch, replicas }, latency));
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

function listOf(scope: Scope, all: readonly Option[]): Omit<OptionList, "size" | "leftBound"> {
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
