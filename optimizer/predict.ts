import { mainPart, type Part } from "../domain/configuration.ts";
import type { StagePlan, VariantShare } from "../domain/plan.ts";
import type { AccuracyModel } from "./accuracy.ts";
import { fromZero, graphWithin, longestPathMs } from "./graph-latency.ts";
import { fanOutAt, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { latencyOf } from "./served-latency.ts";
import { distributionOf, pathDistribution, pathQuantileMs, type StageMixture } from "./stage-mixture.ts";
import { CELLS, chanceWithin } from "./wait-distribution.ts";

/** A part of a stage that is served, with the variant that serves it. */
export interface ServedPart {
  readonly part: Part;
  readonly variant: ScopeVariant;
}

/** What a configuration is predicted to give at the scope's rate, all of which is taken as served. */
export interface Prediction {
  readonly stages: readonly StagePlan[];
  /** Rows of one request at each stage. */
  readonly rows: readonly number[];
  readonly accuracy: number;
  /** P[latency within the SLO]. */
  readonly within: number;
  readonly latencyMs: number;
  readonly cores: number;
  readonly costPerHour: number;
  readonly batches: number;
  readonly switches: number;
  /** False: a stage serves what was not profiled, and nothing is predicted of it. */
  readonly isKnown: boolean;
}

/** The part of a prediction that constraints are for. */
export type Constrained = Pick<Prediction, "accuracy" | "within" | "cores" | "costPerHour" | "isKnown">;

/** Combinations of parts whose accuracy is looked up. */
const MOST_COMBINATIONS = 4_096;

/** P[latency within the SLO], on the grid of the search. */
function withinSlo(scope: Scope, mixtures: readonly StageMixture[]): number {
  if (scope.policy.latency !== "queueing") {
    const ms = longestPathMs(
      scope,
      mixtures.map(({ parts }) => Math.max(0, ...parts.map(({ latency }) => latency.constantMs))),
    );
    return ms <= scope.sloMs * (1 + ROUNDING) ? 1 : 0;
  }
  if (!scope.isChain)
    return graphWithin(
      scope,
      mixtures.map(mixture => fromZero(distributionOf(mixture, scope.stepMs, CELLS), scope.stepMs)),
    );
  // Most that is not in time takes too long even without a wait: then nothing else is computed.
  const leastMs = mixtures.reduce(
    (sum, { parts }) =>
      sum +
      parts.reduce((least, { latency }) => Math.min(least, latency.constantMs), parts.length > 0 ? LONGEST_MS : 0),
    0,
  );
  if (leastMs > scope.sloMs * (1 + ROUNDING)) return 0;
  const { constantMs, cumulative } = pathDistribution(mixtures, scope.stepMs, CELLS);
  return chanceWithin(cumulative, scope.stepMs, scope.sloMs - constantMs);
}

/** As good as never. */
const LONGEST_MS = 1e12;
/** Sums of latencies are compared with this much room. */
const ROUNDING = 1e-9;

/**
 * `served`: the parts of every stage, in the order of the stages; their shares sum to 1, or all are 1 where they vote. `names`: by stage the
 * scope's variant, a composite it may be, whose accuracy counts; null: the mean over the parts.
 */
export function predict(
  scope: Scope,
  served: readonly (readonly ServedPart[])[],
  names: readonly (string | null)[] = [],
): Prediction {
  const { slo, overhead } = scope.problem.pipeline;
  const rows = rowsOf(scope, served);
  const mixtures = listMixtures(scope, served, rows);
  const constrained = predictMixtures(scope, served, names, mixtures);
  const { within } = constrained;
  const after = scope.stages.map(stage => stage.after);
  const stages = scope.stages.map((stage, s) =>
    stagePlan(stage, served[s] ?? [], pathQuantileMs([mixtures[s] ?? { rows: 0, parts: [] }], slo.quantile)),
  );
  const totalMs = overhead.latencyMs + pathQuantileMs(mixtures, slo.quantile, after);
  return {
    ...constrained,
    stages,
    rows,
    // The finer grid of the quantile may differ by less than a step from the one of the decision, which is what counts.
    latencyMs: within >= slo.quantile ? Math.min(slo.latencyMs, totalMs) : Math.max(totalMs, slo.latencyMs),
    batches: stages.reduce((sum, stage) => sum + (mainPart(stage)?.batch ?? 0), 0),
    switches: scope.stages.filter((stage, s) => isSwitch(stage, stages[s])).length,
  };
}

/** Predicts only what decides whether constraints hold, which takes less time than all of predict(). */
export function predictConstrained(
  scope: Scope,
  served: readonly (readonly ServedPart[])[],
  names: readonly (string | null)[] = [],
): Constrained {
  return predictMixtures(scope, served, names, listMixtures(scope, served, rowsOf(scope, served)));
}

function predictMixtures(
  scope: Scope,
  served: readonly (readonly ServedPart[])[],
  names: readonly (string | null)[],
  mixtures: readonly StageMixture[],
): Constrained {
  return {
    accuracy: expectedAccuracy(scope, served, names),
    within: withinSlo(scope, mixtures),
    cores: served.reduce((sum, parts) => sum + countCores(parts), 0),
    costPerHour: scope.stages.reduce((sum, { stage }, s) => sum + replicasOf(served[s]) * (stage.costPerHour ?? 0), 0),
    isKnown: served.every(parts => parts.every(({ variant }) => Number.isFinite(variant.capacity))),
  };
}

function listMixtures(
  scope: Scope,
  served: readonly (readonly ServedPart[])[],
  rows: readonly number[],
): readonly StageMixture[] {
  return scope.stages.map((stage, s) => mixtureOf(scope, stage, served[s] ?? [], rows[s] ?? 0));
}

function countCores(parts: readonly ServedPart[]): number {
  return parts.reduce((sum, { part, variant }) => sum + part.replicas * variant.cores, 0);
}

/** Rows of one request at each stage. */
export function rowsOf(scope: Scope, served: readonly (readonly ServedPart[])[]): number[] {
  const rows: number[] = [];
  for (const [s, { upstream }] of scope.stages.entries()) {
    const parts = upstream < 0 ? undefined : served[upstream];
    const fanOut = parts
      ? parts.reduce((sum, { part }) => sum + part.share * fanOutAt(scope, s, part.variant), 0) / sharesOf(parts)
      : fanOutAt(scope, s, null);
    rows.push(Math.min(1e12, (upstream < 0 ? 1 : (rows[upstream] ?? 0)) * fanOut));
  }
  return rows;
}

/** 1, or the number of parts where they vote. */
function sharesOf(parts: readonly ServedPart[]): number {
  const sum = parts.reduce((total, { part }) => total + part.share, 0);
  return parts.length > 1 && sum > 1 + ROUNDING ? sum : 1;
}

function mixtureOf(scope: Scope, stage: ScopeStage, parts: readonly ServedPart[], rows: number): StageMixture {
  return {
    rows,
    parts: parts.map(({ part, variant }) => ({
      share: part.share,
      latency: latencyOf(scope, stage, variant, { rows, batch: part.batch, replicas: part.replicas }, part.share),
    })),
  };
}

function stagePlan(stage: ScopeStage, parts: readonly ServedPart[], latencyMs: number): StagePlan {
  return {
    stage: stage.stage.name,
    parts: parts.map(({ part }) => part),
    cores: countCores(parts),
    latencyMs,
  };
}

function replicasOf(parts: readonly ServedPart[] | undefined): number {
  return (parts ?? []).reduce((sum, { part }) => sum + part.replicas, 0);
}

function isSwitch(stage: ScopeStage, plan: StagePlan | undefined): boolean {
  const variant = plan && mainPart(plan)?.variant;
  return stage.currentVariant !== null && variant !== stage.currentVariant;
}

function expectedAccuracy(
  scope: Scope,
  served: readonly (readonly ServedPart[])[],
  known: readonly (string | null)[],
): number {
  const stages = served.map((parts, s): readonly VariantShare[] => {
    const whole = known[s] ?? null;
    if (whole !== null) return [{ variant: whole, share: 1 }];
    const shares = sharesOf(parts);
    return parts.map(({ part }) => ({ variant: part.variant, share: part.share / shares }));
  });
  return mixedAccuracy(scope.accuracy, stages, MOST_COMBINATIONS);
}

/**
 * The accuracy where variants share the rows of a stage: the mean over their combinations. More than `most` are not looked up one by one, but
 * followed from stage to stage, as those that were not measured.
 */
export function mixedAccuracy(
  model: AccuracyModel,
  stages: readonly (readonly VariantShare[])[],
  most: number,
): number {
  const count = stages.reduce((product, mix) => product * mix.length, 1);
  if (count > most)
    return stages.reduce((before, mix, s) => {
      const steps = mix.map(({ variant, share }) => ({ share, ...model.step(s, variant) }));
      return steps.reduce((sum, { share, slope, offset }) => sum + share * (slope * before + offset), 0);
    }, model.start);
  let combinations: { readonly names: readonly string[]; readonly share: number }[] = [{ names: [], share: 1 }];
  for (const mix of stages)
    combinations = combinations.flatMap(({ names, share }) =>
      mix.map(one => ({ names: [...names, one.variant], share: share * one.share })),
    );
  return combinations.reduce((sum, { names, share }) => sum + share * model.of(names), 0);
}
