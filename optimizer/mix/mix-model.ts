import type { Part } from "../../domain/configuration.ts";
import { LEAST_RPS, type Likely, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { fanOutOf, findVariant, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import type { VariantShare } from "../../domain/plan.ts";
import { throughputRps } from "../../domain/profile.ts";
import { type AccuracyModel, accuracyOf } from "../accuracy.ts";
import { mixedAccuracy } from "../predict.ts";
import type { Problem } from "../problem.ts";
import { chooseRungs, hasOneRung, serveAlone } from "./rungs.ts";
import { splitRows } from "./split-rows.ts";

/** Replicas are busy for so much of the time where they mix variants: between two batches the rule leaves hardly any. */
export const MIX_UTILISATION = 0.97;
/** More combinations of variants than this are not looked up one by one. */
const MOST_COMBINATIONS = 256;

/** The planned variant of all replicas of a stage; null: nothing is planned, and nothing said of the stage. */
export type Top = Pick<Part, "variant" | "batch" | "replicas"> | null;

/** Means over requests, for one planned variant of each stage. */
export interface Mixed {
  /** Share of right answers among all that are given. */
  readonly accuracy: number;
  /** Share of the requests that some variant has time for. */
  readonly served: number;
}

/** The variants that may serve a stage, the most accurate first, with the rows a second that one replica carries by each of them alone. */
interface Ladder {
  readonly variants: readonly string[];
  readonly rps: readonly number[];
}

interface WeighedRate {
  readonly rateRps: number;
  /** The share of all requests that come at it. */
  readonly weight: number;
}

/** How a stage serves its rows at one rate. */
interface StageMix {
  readonly variants: readonly string[];
  readonly shares: readonly number[];
  readonly served: number;
}

const NONE: Ladder = { variants: [], rps: [] };
const ALL_SERVED: StageMix = { variants: [], shares: [], served: 1 };

/**
 * Says how replicas that mix variants batch by batch serve the rates that may come: over the quantiles of the rate, each with the requests that come at it
 * and the probability that lies nearest to it. Of a load that comes in bursts nearly all requests come at the highest rates. At each rate a stage serves
 * by the two rungs next to what its replicas carry; the combinations of all stages are as accurate as they were measured. What even the lightest
 * rungs don't carry is missed: it is expected over the quantiles of the highest second, as a mean over seconds hides short bursts.
 *
 * Made once for many plans of a problem, whose rungs it remembers.
 */
export class MixModel {
  private readonly pipeline: Pipeline;
  private readonly upstream: readonly number[];
  private readonly rates: readonly WeighedRate[];
  private readonly peaks: readonly WeighedRate[];
  private readonly model: AccuracyModel;
  private readonly ladders = new Map<string, Ladder>();
  private readonly problem: Problem;
  private readonly loneUtilisation: number;

  /** @param loneUtilisation share of the time that replicas are busy which can go no lighter. */
  constructor(problem: Problem, { ratesRps, peaksRps }: Likely, loneUtilisation = MIX_UTILISATION) {
    const { pipeline } = problem;
    this.problem = problem;
    this.pipeline = pipeline;
    this.loneUtilisation = loneUtilisation;
    this.upstream = pipeline.stages.map(({ upstream }) => pipeline.stages.findIndex(({ name }) => name === upstream));
    this.rates = weighRates(ratesRps, RATE_QUANTILES);
    this.peaks = weighRates(peaksRps, QUANTILES);
    this.model = accuracyOf(pipeline);
  }

  /** @param tops of each stage, in the order of the stages. */
  measure(tops: readonly Top[]): Mixed {
    const ladders = this.findLadders(tops);
    let accuracy = 0;
    for (const { rateRps, weight } of this.rates) {
      accuracy += weight * this.readAccuracy(this.mixStages(tops, ladders, rateRps));
    }
    let served = 0;
    for (const { rateRps, weight } of this.peaks)
      served += weight * this.mixStages(tops, ladders, rateRps).reduce((share, mix) => share * mix.served, 1);
    // Sums of many shares may be a little more than 1.
    return { accuracy: Math.min(1, accuracy), served: Math.min(1, served) };
  }

  /** Lists the share of each variant of the rows of each stage that are served, as a mean over requests. */
  listShares(tops: readonly Top[]): readonly (readonly VariantShare[])[] {
    const ladders = this.findLadders(tops);
    const totals = ladders.map(({ variants }) => variants.map(() => 0));
    for (const { rateRps, weight } of this.rates)
      for (const [s, mix] of this.mixStages(tops, ladders, rateRps).entries())
        for (const [at, share] of mix.shares.entries())
          (totals[s] as number[])[at] = (totals[s]?.[at] ?? 0) + weight * share;
    return ladders.map(({ variants }, s) =>
      variants.flatMap((variant, at) => {
        const share = Math.min(1, totals[s]?.[at] ?? 0);
        return share > 0 ? [{ variant, share }] : [];
      }),
    );
  }

  private readAccuracy(mixes: readonly StageMix[]): number {
    const count = mixes.reduce((product, { shares }) => product * shares.filter(share => share > 0).length, 1);
    if (count === 0 || count > MOST_COMBINATIONS)
      return mixedAccuracy(this.model, mixes.map(listShares), MOST_COMBINATIONS);
    const names: string[] = [];
    const addUp = (s: number, share: number): number => {
      const mix = mixes[s];
      if (!mix) return share * this.model.of(names);
      let sum = 0;
      for (const [at, own] of mix.shares.entries()) {
        if (own === 0) continue;
        names[s] = mix.variants[at] as string;
        sum += addUp(s + 1, share * own);
      }
      return sum;
    };
    return addUp(0, 1);
  }

  private findLadders(tops: readonly Top[]): readonly Ladder[] {
    const planned = tops.map(top => top?.variant ?? "").join("\n");
    return this.pipeline.stages.map((stage, s) => {
      const top = tops[s];
      if (!top) return NONE;
      const key = `${s}\n${top.batch}\n${planned}\n${top.variant}`;
      const known = this.ladders.get(key);
      if (known) return known;
      const ladder = this.buildLadder(stage, top, tops);
      this.ladders.set(key, ladder);
      return ladder;
    });
  }

  private buildLadder(stage: Stage, top: NonNullable<Top>, tops: readonly Top[]): Ladder {
    const { pipeline, pins, excluded, corrections } = this.problem;
    const planned = Object.fromEntries(pipeline.stages.map(({ name }, s) => [name, tops[s]?.variant ?? ""]));
    const given = { planned, excluded: excluded[stage.name] ?? [] };
    const { rungs } = hasOneRung(pipeline, pins, stage.name)
      ? serveAlone(top)
      : chooseRungs(pipeline, stage, top, given);
    const serving = rungs.slice(rungs.findIndex(({ variant }) => variant === top.variant));
    const utilisation = serving.length > 1 ? MIX_UTILISATION : this.loneUtilisation;
    const carried = serving.flatMap(({ variant, maxBatch }) => {
      const profile = findVariant(stage, variant)?.profile;
      const rps = profile ? (utilisation * throughputRps(profile, maxBatch)) / (corrections[stage.name] ?? 1) : 0;
      return profile ? [{ variant, rps }] : [];
    });
    // A lighter rung in small batches may carry less than a heavier one in large ones, and helps nobody then.
    const rising = carried.filter(({ rps }, at) => carried.slice(0, at).every(heavier => heavier.rps < rps));
    return { variants: rising.map(({ variant }) => variant), rps: rising.map(({ rps }) => rps) };
  }

  /** How the stages serve one rate, the rows of later ones by what serves the stages before them. */
  private mixStages(tops: readonly Top[], ladders: readonly Ladder[], rateRps: number): readonly StageMix[] {
    const rows: number[] = [];
    const mixes: StageMix[] = [];
    for (const [s, stage] of this.pipeline.stages.entries()) {
      const upstream = this.upstream[s] ?? -1;
      const own = (rows[upstream] ?? rateRps) * countRows(stage, mixes[upstream]);
      rows.push(own);
      mixes.push(mixRungs(ladders[s] ?? NONE, tops[s]?.replicas ?? 0, own));
    }
    return mixes;
  }
}

function listShares({ variants, shares }: StageMix): readonly VariantShare[] {
  const some: VariantShare[] = [];
  for (const [at, share] of shares.entries()) if (share > 0) some.push({ variant: variants[at] as string, share });
  return some;
}

function countRows(stage: Stage, upstream: StageMix | undefined): number {
  if (!upstream) return fanOutOf(stage, null);
  return upstream.shares.reduce(
    (sum, share, at) => (share > 0 ? sum + share * fanOutOf(stage, upstream.variants[at] as string) : sum),
    0,
  );
}

function mixRungs({ variants, rps }: Ladder, replicas: number, rowsRps: number): StageMix {
  if (variants.length === 0) return ALL_SERVED;
  // The planned variant serves none of the rows without a replica.
  if (replicas <= 0) return { variants, ...splitRows([0], rowsRps) };
  const { shares, served } = splitRows(
    rps.map(one => replicas * one),
    rowsRps,
  );
  return { variants, shares, served };
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
