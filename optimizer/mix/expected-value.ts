import { mainPart, replicasOf } from "../../domain/configuration.ts";
import { LEAST_RPS, type Likely, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { fanOutOf, findVariant, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import { findMainVariants, type Plan, type PlannedMix, type VariantShare } from "../../domain/plan.ts";
import { throughputRps } from "../../domain/profile.ts";
import { accuracyOf, isAccuracyKnown } from "../accuracy.ts";
import { mixedAccuracy } from "../predict.ts";
import type { Problem } from "../problem.ts";
import { chooseRungs, hasOneRung, mayServeLighter, serveAlone } from "./rungs.ts";
import { splitRows } from "./split-rows.ts";

/** Replicas are busy for so much of the time where they mix variants: between two batches the rule leaves hardly any. */
const MIX_UTILISATION = 0.97;
/** A mix with less of another variant, or with fewer requests that are not in time, is as planned. */
const LEAST_TOLD = 0.0005;
/** More combinations of variants than this are not looked up one by one. */
const MOST_COMBINATIONS = 256;
/** A request that is missed costs so much more than one that is answered wrong, in answers. */
const MISS_WEIGHT = 1;

/** The worth of a plan over the rates that may come. */
export interface Expected extends PlannedMix {
  /** By the objective of the pipeline file, less what missed requests cost beside. */
  readonly value: number;
}

/** A rung with what all replicas of a stage carry of it, in rows a second. */
interface Carried {
  readonly variant: string;
  readonly rps: number;
}

/** The rows of a stage that its variants serve at one rate, and the share of its rows that all of them carry. */
interface StageMix {
  readonly shares: readonly VariantShare[];
  readonly served: number;
}

/**
 * Whether replicas have the cores to themselves that plans give them, and may serve lighter variants than those that are planned: what they serve
 * is known then for any rate.
 */
export function mixesVariants({ pipeline, limits, combine = {} }: Problem): boolean {
  return mayServeLighter(pipeline) && limits.machineCores === null && Object.keys(combine).length === 0;
}

/** One rate that comes for sure. */
export function expectRate(rateRps: number): Likely {
  return { ratesRps: RATE_QUANTILES.map(() => rateRps), peaksRps: QUANTILES.map(() => rateRps) };
}

/** Expects what a plan is worth: see expectMix(). */
export function expectValue(problem: Problem, plan: Plan, likely: Likely): Expected {
  const { weights } = problem.pipeline.objective;
  // Replicas that can go no lighter are planned to carry no more: beyond that their requests would wait too long.
  const mix = expectMix(problem, plan, likely, problem.pipeline.objective.utilisation);
  const costs = weights.accuracy * plan.effectiveAccuracy - plan.objective;
  const value = weights.accuracy * (mix.accuracy * mix.served - MISS_WEIGHT * (1 - mix.served)) - costs;
  return { ...mix, value };
}

/**
 * Expects what replicas that mix variants batch by batch serve of a plan: over the quantiles of the rate, each with the requests that come at it and
 * the probability that lies nearest to it. Of a load that comes in bursts nearly all requests come at the highest rates. At each rate a stage serves
 * by the two rungs next to what its replicas carry; the combinations of all stages are as accurate as they were measured. What even the lightest
 * rungs don't carry is missed: it is expected over the quantiles of the highest second, as a mean over seconds hides short bursts.
 *
 * @param loneUtilisation share of the time that replicas are busy which can go no lighter.
 */
export function expectMix(
  problem: Problem,
  plan: Plan,
  { ratesRps, peaksRps }: Likely,
  loneUtilisation = MIX_UTILISATION,
): PlannedMix {
  const { pipeline } = problem;
  const carried = listCarried(problem, plan, loneUtilisation);
  const model = accuracyOf(pipeline);
  let accuracy = 0;
  const totals = carried.map(rungs => rungs.map(({ variant }) => ({ variant, share: 0 })));
  for (const { rateRps, weight } of weighRates(ratesRps, RATE_QUANTILES)) {
    const shares = mixStages(pipeline, carried, rateRps).map(mix => mix.shares);
    accuracy += weight * mixedAccuracy(model, shares, MOST_COMBINATIONS);
    for (const [s, stage] of shares.entries())
      for (const { variant, share } of stage) {
        const total = totals[s]?.find(other => other.variant === variant);
        if (total) total.share += weight * share;
      }
  }
  let served = 0;
  for (const { rateRps, weight } of weighRates(peaksRps, QUANTILES))
    served += weight * mixStages(pipeline, carried, rateRps).reduce((share, mix) => share * mix.served, 1);
  const stages = pipeline.stages.map(({ name }, s) => ({
    stage: name,
    shares: (totals[s] ?? []).flatMap(({ variant, share }) =>
      share > 0 ? [{ variant, share: Math.min(1, share) }] : [],
    ),
  }));
  // Sums of many shares may be a little more than 1.
  return {
    accuracy: Math.min(1, accuracy),
    isAccuracyKnown: isAccuracyKnown(
      pipeline,
      stages.map(({ shares }) => shares.map(({ variant }) => variant)),
    ),
    isAsPlanned: 1 - served < LEAST_TOLD && isServedBy(stages, findMainVariants(plan)),
    served: Math.min(1, served),
    stages,
  };
}

function isServedBy(stages: PlannedMix["stages"], planned: Readonly<Record<string, string>>): boolean {
  return stages.every(({ stage, shares }) =>
    shares.every(({ variant, share }) => variant === planned[stage] || share < LEAST_TOLD),
  );
}

interface WeighedRate {
  readonly rateRps: number;
  /** The share of all requests that come at it. */
  readonly weight: number;
}

/** The rates whose quantiles are known at these levels, each with the share of the requests that come at it. */
function weighRates(ratesRps: readonly number[], levels: readonly number[]): readonly WeighedRate[] {
  const requests = levels.map((_, at) => Math.max(LEAST_RPS, ratesRps[at] ?? 0) * findProbability(levels, at));
  const all = requests.reduce((sum, count) => sum + count, 0);
  const weighed = new Map<number, number>();
  for (const [at, count] of requests.entries()) {
    const rateRps = ratesRps[at] ?? 0;
    weighed.set(rateRps, (weighed.get(rateRps) ?? 0) + count / all);
  }
  return [...weighed].map(([rateRps, weight]) => ({ rateRps, weight }));
}

/** The probability of a quantile: half of the way to the one before it and to the one behind it. */
function findProbability(levels: readonly number[], at: number): number {
  const level = levels[at] ?? 0;
  const from = at === 0 ? 0 : ((levels[at - 1] ?? 0) + level) / 2;
  const to = at === levels.length - 1 ? 1 : ((levels[at + 1] ?? 1) + level) / 2;
  return to - from;
}

/** Lists for each stage the rows that its replicas carry by each rung, the most accurate first. */
function listCarried(
  { pipeline, pins, corrections, excluded }: Problem,
  plan: Plan,
  loneUtilisation: number,
): readonly Carried[][] {
  const planned = findMainVariants(plan);
  return pipeline.stages.map(stage => {
    const own = plan.stages.find(other => other.stage === stage.name);
    const top = own && mainPart(own);
    if (!own || !top) return [];
    const given = { planned, excluded: excluded[stage.name] ?? [] };
    const isAlone = hasOneRung(pipeline, pins, stage.name);
    const { rungs } = isAlone ? serveAlone(top) : chooseRungs(pipeline, stage, top, given);
    const ladder = rungs.slice(rungs.findIndex(({ variant }) => variant === top.variant));
    const utilisation = ladder.length > 1 ? MIX_UTILISATION : loneUtilisation;
    const carried = ladder.flatMap(({ variant, maxBatch }): Carried[] => {
      const profile = findVariant(stage, variant)?.profile;
      if (!profile) return [];
      const rps = (utilisation * replicasOf(own) * throughputRps(profile, maxBatch)) / (corrections[stage.name] ?? 1);
      return [{ variant, rps }];
    });
    // A lighter rung in small batches may carry less than a heavier one in large ones, and helps nobody then.
    return carried.filter(({ rps }, at) => carried.slice(0, at).every(heavier => heavier.rps < rps));
  });
}

/** How the stages serve one rate, the rows of later ones by what serves the stages before them. */
function mixStages({ stages }: Pipeline, carried: readonly Carried[][], rateRps: number): readonly StageMix[] {
  const rowsRps = new Map<string, number>();
  const mixes = new Map<string, StageMix>();
  return stages.map((stage, s) => {
    const upstream = stage.upstream === null ? undefined : mixes.get(stage.upstream);
    const rows = (rowsRps.get(stage.upstream ?? "") ?? rateRps) * countRows(stage, upstream);
    const mix = mixRungs(carried[s] ?? [], rows);
    rowsRps.set(stage.name, rows);
    mixes.set(stage.name, mix);
    return mix;
  });
}

function countRows(stage: Stage, upstream: StageMix | undefined): number {
  if (!upstream) return fanOutOf(stage, null);
  return upstream.shares.reduce((sum, { variant, share }) => sum + share * fanOutOf(stage, variant), 0);
}

function mixRungs(rungs: readonly Carried[], rowsRps: number): StageMix {
  if (rungs.length === 0) return { shares: [], served: 1 };
  const split = splitRows(
    rungs.map(({ rps }) => rps),
    rowsRps,
  );
  const shares = rungs.map(({ variant }, at) => ({ variant, share: split.shares[at] as number }));
  return { shares: shares.filter(({ share }) => share > 0), served: split.served };
}
