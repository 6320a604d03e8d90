import type { Part } from "../../domain/configuration.ts";
import { LEAST_RPS, type Likely, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { fanOutOf, findVariant, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import type { VariantShare } from "../../domain/plan.ts";
import { throughputRps } from "../../domain/profile.ts";
import { type AccuracyModel, accuracyOf } from "../accuracy.ts";
import { mixedAccuracy } from "../predict.ts";
import type { Problem } from "../problem.ts";
import { chooseRungs, hasOneRung, serveAlone } from "./rungs.ts";
import { type RowSplit, readShare, splitRows } from "./split-rows.ts";

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

/** A node of the tree of combinations of variants that were asked for, stage by stage: going down it is quicker than looking up names that are joined. */
interface Prefix {
  /** The variants of the stages so far. */
  readonly names: readonly string[];
  readonly next: Map<string, Prefix>;
  /** The accuracy of a whole combination; null: not looked up yet. */
  accuracy: number | null;
  /** The ladders where these are planned, by stage and batch size. */
  readonly ladders: Map<number, Ladder>;
}

const NONE: Ladder = { variants: [], rps: [] };
const ALL_SERVED: RowSplit = { lighter: 0, heavierShare: 0, served: 1 };

/**
 * Says how replicas that mix variants batch by batch serve the rates that may come: over the quantiles of the rate, each with the requests that come at it
 * and the probability that lies nearest to it. Of a load that comes in bursts nearly all requests come at the highest rates. At each rate a stage serves
 * by the two rungs next to what its replicas carry; the combinations of all stages are as accurate as they were measured. What even the lightest
 * rungs don't carry is missed: it is expected over the quantiles of the highest second, as a mean over seconds hides short bursts.
 *
 * Made once for many plans of a problem, whose rungs and accuracies it remembers.
 */
export class MixModel {
  private readonly pipeline: Pipeline;
  private readonly upstream: readonly number[];
  private readonly rates: readonly WeighedRate[];
  private readonly peaks: readonly WeighedRate[];
  private readonly model: AccuracyModel;
  private readonly root = createPrefix([]);
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
    for (const { rateRps, weight } of this.rates)
      accuracy += weight * this.readAccuracy(ladders, this.splitStages(tops, ladders, rateRps));
    let served = 0;
    for (const { rateRps, weight } of this.peaks) {
      let share = weight;
      for (const split of this.splitStages(tops, ladders, rateRps)) share *= split.served;
      served += share;
    }
    // Sums of many shares may be a little more than 1.
    return { accuracy: Math.min(1, accuracy), served: Math.min(1, served) };
  }

  /** Lists the share of each variant of the rows of each stage that are served, as a mean over requests. */
  listShares(tops: readonly Top[]): readonly (readonly VariantShare[])[] {
    const ladders = this.findLadders(tops);
    const totals = ladders.map(({ variants }) => variants.map(() => 0));
    for (const { rateRps, weight } of this.rates)
      for (const [s, split] of this.splitStages(tops, ladders, rateRps).entries())
        for (const [rung, share] of (totals[s] ?? []).entries())
          (totals[s] as number[])[rung] = share + weight * readShare(split, rung);
    return ladders.map(({ variants }, s) =>
      variants.flatMap((variant, at) => {
        const share = Math.min(1, totals[s]?.[at] ?? 0);
        return share > 0 ? [{ variant, share }] : [];
      }),
    );
  }

  private readAccuracy(ladders: readonly Ladder[], splits: readonly RowSplit[]): number {
    let count = 1;
    for (const { heavierShare } of splits) count *= heavierShare > 0 ? 2 : 1;
    return count > MOST_COMBINATIONS
      ? mixedAccuracy(
          this.model,
          splits.map((split, s) => listShares(ladders[s] ?? NONE, split)),
          MOST_COMBINATIONS,
        )
      : this.addAccuracies(ladders, splits, 0, this.root);
  }

  /** The mean accuracy of the combinations that begin so. */
  private addAccuracies(ladders: readonly Ladder[], splits: readonly RowSplit[], s: number, prefix: Prefix): number {
    const [ladder, split] = [ladders[s], splits[s]];
    if (!ladder || !split) {
      prefix.accuracy ??= this.model.of(prefix.names);
      return prefix.accuracy;
    }
    const lighter = ladder.variants[split.lighter];
    // A stage without a plan, or whose planned variant was not measured, has nothing that could be right.
    if (lighter === undefined) return 0;
    const sum = this.addAccuracies(ladders, splits, s + 1, nextPrefix(prefix, lighter));
    if (split.heavierShare === 0) return sum;
    const heavier = nextPrefix(prefix, ladder.variants[split.lighter - 1] as string);
    return (1 - split.heavierShare) * sum + split.heavierShare * this.addAccuracies(ladders, splits, s + 1, heavier);
  }

  private findLadders(tops: readonly Top[]): readonly Ladder[] {
    let planned = this.root;
    for (const top of tops) planned = nextPrefix(planned, top?.variant ?? "");
    const { stages } = this.pipeline;
    return stages.map((stage, s) => {
      const top = tops[s];
      if (!top) return NONE;
      const key = top.batch * stages.length + s;
      const known = planned.ladders.get(key);
      if (known) return known;
      const ladder = this.buildLadder(stage, top, tops);
      planned.ladders.set(key, ladder);
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
  private splitStages(tops: readonly Top[], ladders: readonly Ladder[], rateRps: number): readonly RowSplit[] {
    const { stages } = this.pipeline;
    const rows: number[] = [];
    const splits: RowSplit[] = [];
    for (let s = 0; s < stages.length; s++) {
      const stage = stages[s] as Stage;
      const upstream = this.upstream[s] ?? -1;
      const split = splits[upstream];
      const perRow = split ? countRows(stage, ladders[upstream] ?? NONE, split) : fanOutOf(stage, null);
      const own = (rows[upstream] ?? rateRps) * perRow;
      rows.push(own);
      splits.push(splitBetween(ladders[s] ?? NONE, tops[s]?.replicas ?? 0, own));
    }
    return splits;
  }
}

function createPrefix(names: readonly string[]): Prefix {
  return { names, next: new Map(), accuracy: null, ladders: new Map() };
}

function nextPrefix({ names, next }: Prefix, variant: string): Prefix {
  const known = next.get(variant);
  if (known) return known;
  const made = createPrefix([...names, variant]);
  next.set(variant, made);
  return made;
}

function listShares({ variants }: Ladder, split: RowSplit): readonly VariantShare[] {
  return variants.flatMap((variant, rung) => {
    const share = readShare(split, rung);
    return share > 0 ? [{ variant, share }] : [];
  });
}

/** Rows for each row of the stage before it, as a mean over what serves that. */
function countRows(stage: Stage, { variants }: Ladder, { lighter, heavierShare }: RowSplit): number {
  if (variants.length === 0) return 0;
  const rows = fanOutOf(stage, variants[lighter] as string);
  if (heavierShare === 0) return rows;
  return (1 - heavierShare) * rows + heavierShare * fanOutOf(stage, variants[lighter - 1] as string);
}

function splitBetween({ rps }: Ladder, replicas: number, rowsRps: number): RowSplit {
  if (rps.length === 0) return ALL_SERVED;
  // The planned variant serves none of the rows without a replica.
  if (replicas <= 0) return { lighter: 0, heavierShare: 0, served: rowsRps > 0 ? 0 : 1 };
  return splitRows(rps, replicas, rowsRps);
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
