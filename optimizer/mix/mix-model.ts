import type { Part } from "../../domain/configuration.ts";
import { LEAST_RPS, type Likely, QUANTILES, RATE_QUANTILES } from "../../domain/load.ts";
import { fanOutOf, findVariant, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import type { VariantShare } from "../../domain/plan.ts";
import { throughputRps } from "../../domain/profile.ts";
import { type AccuracyModel, accuracyOf } from "../accuracy.ts";
import { mixedAccuracy } from "../predict.ts";
import type { Problem } from "../problem.ts";
import { NumberedCombinations } from "./numbered-combinations.ts";
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
  /** The variants by their numbers. */
  readonly numbers: readonly number[];
  readonly rps: readonly number[];
  /** No combination with any of them is more accurate. */
  readonly mostAccuracy: number;
}

interface WeighedRate {
  readonly rateRps: number;
  /** The share of all requests that come at it. */
  readonly weight: number;
}

const NONE: Ladder = { variants: [], numbers: [], rps: [], mostAccuracy: 0 };

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
  private readonly combinations: NumberedCombinations;
  /** By the key of the planned variants, and then by batch size and stage. */
  private readonly ladders = new Map<number | string, Map<number, Ladder>>();
  /** Rows for each row of the stage before, by stage and number of the variant there; the last one: for each request. */
  private readonly fanOuts: readonly (readonly number[])[];
  /** How the stages serve the rate that was split last, and their rows a second: made once, as there are very many. */
  private readonly splits: { lighter: number; heavierShare: number; served: number }[];
  private readonly rowsRps: number[];
  private readonly numbers: number[];
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
    const { stages } = pipeline;
    this.combinations = new NumberedCombinations(stages, this.model);
    this.fanOuts = stages.map((stage, s) => {
      const before = stages[this.upstream[s] ?? -1]?.variants ?? [];
      return [...before.map(({ name }) => fanOutOf(stage, name)), fanOutOf(stage, null)];
    });
    this.splits = stages.map(() => ({ lighter: 0, heavierShare: 0, served: 1 }));
    this.rowsRps = stages.map(() => 0);
    this.numbers = stages.map(() => 0);
  }

  /** @param tops of each stage, in the order of the stages. */
  measure(tops: readonly Top[]): Mixed {
    return this.measureAbove(tops, 0) as Mixed;
  }

  /** Measures as far as it can be more accurate than this; null: it is not. */
  measureAbove(tops: readonly Top[], leastAccuracy: number): Mixed | null {
    const ladders = this.findLadders(tops);
    let most = 1;
    for (const { mostAccuracy } of ladders) most = Math.min(most, mostAccuracy);
    // At the highest rates most accuracy is lost, so that what is not enough is known soon.
    let accuracy = 0;
    let left = 1;
    for (let at = this.rates.length - 1; at >= 0; at--) {
      if (accuracy + left * most < leastAccuracy) return null;
      const { rateRps, weight } = this.rates[at] as WeighedRate;
      this.splitStages(tops, ladders, rateRps);
      accuracy += weight * this.readAccuracy(ladders);
      left -= weight;
    }
    if (accuracy < leastAccuracy) return null;
    let served = 0;
    for (const { rateRps, weight } of this.peaks) {
      this.splitStages(tops, ladders, rateRps);
      let share = weight;
      for (const split of this.splits) share *= split.served;
      served += share;
    }
    // Sums of many shares may be a little more than 1.
    return { accuracy: Math.min(1, accuracy), served: Math.min(1, served) };
  }

  /** Lists the share of each variant of the rows of each stage that are served, as a mean over requests. */
  listShares(tops: readonly Top[]): readonly (readonly VariantShare[])[] {
    const ladders = this.findLadders(tops);
    const totals = ladders.map(({ variants }) => variants.map(() => 0));
    for (const { rateRps, weight } of this.rates) {
      this.splitStages(tops, ladders, rateRps);
      for (const [s, split] of this.splits.entries())
        for (const [rung, share] of (totals[s] ?? []).entries())
          (totals[s] as number[])[rung] = share + weight * readShare(split, rung);
    }
    return ladders.map(({ variants }, s) =>
      variants.flatMap((variant, at) => {
        const share = Math.min(1, totals[s]?.[at] ?? 0);
        return share > 0 ? [{ variant, share }] : [];
      }),
    );
  }

  /** The accuracy at the rate that was split last. */
  private readAccuracy(ladders: readonly Ladder[]): number {
    let count = 1;
    for (const { heavierShare } of this.splits) count *= heavierShare > 0 ? 2 : 1;
    return count > MOST_COMBINATIONS
      ? mixedAccuracy(
          this.model,
          this.splits.map((split, s) => listShares(ladders[s] ?? NONE, split)),
          MOST_COMBINATIONS,
        )
      : this.addAccuracies(ladders, 0);
  }

  /** The mean accuracy of the combinations that begin with the numbers of the stages before this one. */
  private addAccuracies(ladders: readonly Ladder[], s: number): number {
    const ladder = ladders[s];
    if (!ladder) return this.combinations.readAccuracy(this.numbers);
    const { lighter, heavierShare } = this.splits[s] as RowSplit;
    // A stage without a plan, or whose planned variant was not measured, has nothing that could be right.
    if (ladder.numbers.length === 0) return 0;
    this.numbers[s] = ladder.numbers[lighter] as number;
    const sum = this.addAccuracies(ladders, s + 1);
    if (heavierShare === 0) return sum;
    this.numbers[s] = ladder.numbers[lighter - 1] as number;
    return (1 - heavierShare) * sum + heavierShare * this.addAccuracies(ladders, s + 1);
  }

  private findLadders(tops: readonly Top[]): readonly Ladder[] {
    const { stages } = this.pipeline;
    for (let s = 0; s < stages.length; s++) this.numbers[s] = this.combinations.readNumber(s, tops[s]?.variant);
    const key = this.combinations.toKey(this.numbers);
    const planned = this.ladders.get(key) ?? new Map<number, Ladder>();
    this.ladders.set(key, planned);
    return stages.map((stage, s) => {
      const top = tops[s];
      if (!top) return NONE;
      const place = top.batch * stages.length + s;
      const known = planned.get(place);
      if (known) return known;
      const ladder = this.buildLadder(stage, s, top, tops);
      planned.set(place, ladder);
      return ladder;
    });
  }

  private buildLadder(stage: Stage, s: number, top: NonNullable<Top>, tops: readonly Top[]): Ladder {
    const { pipeline, pins, excluded, corrections } = this.problem;
    const planned = Object.fromEntries(pipeline.stages.map(({ name }, at) => [name, tops[at]?.variant ?? ""]));
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
    return {
      variants: rising.map(({ variant }) => variant),
      numbers: rising.map(({ variant }) => this.combinations.readNumber(s, variant)),
      rps: rising.map(({ rps }) => rps),
      mostAccuracy: Math.max(0, ...rising.map(({ variant }) => this.model.mostWith(s, variant))),
    };
  }

  /** Splits one rate between the rungs of all stages, the rows of later ones by what serves the stages before them. */
  private splitStages(tops: readonly Top[], ladders: readonly Ladder[], rateRps: number): void {
    for (let s = 0; s < this.splits.length; s++) {
      const upstream = this.upstream[s] as number;
      const before = upstream < 0 ? rateRps : (this.rowsRps[upstream] as number);
      const rowsRps = before * this.countRows(s, upstream, ladders);
      this.rowsRps[s] = rowsRps;
      const { rps } = ladders[s] as Ladder;
      const replicas = tops[s]?.replicas ?? 0;
      const split = this.splits[s] as (typeof this.splits)[number];
      if (rps.length > 0 && replicas > 0) splitRows(rps, replicas, rowsRps, split);
      else {
        split.lighter = 0;
        split.heavierShare = 0;
        // The planned variant serves none of the rows without a replica.
        split.served = rps.length > 0 && rowsRps > 0 ? 0 : 1;
      }
    }
  }

  /** Counts the rows for each row of the stage before, as a mean over what serves that; of the first stages for each request. */
  private countRows(s: number, upstream: number, ladders: readonly Ladder[]): number {
    const fanOuts = this.fanOuts[s] as readonly number[];
    if (upstream < 0) return fanOuts.at(-1) as number;
    const { numbers } = ladders[upstream] as Ladder;
    if (numbers.length === 0) return 0;
    const { lighter, heavierShare } = this.splits[upstream] as RowSplit;
    const rows = fanOuts[numbers[lighter] as number] as number;
    if (heavierShare === 0) return rows;
    return (1 - heavierShare) * rows + heavierShare * (fanOuts[numbers[lighter - 1] as number] as number);
  }
}

function listShares({ variants }: Ladder, split: RowSplit): readonly VariantShare[] {
  return variants.flatMap((variant, rung) => {
    const share = readShare(split, rung);
    return share > 0 ? [{ variant, share }] : [];
  });
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
