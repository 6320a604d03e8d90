import { logOdds } from "../domain/log-odds.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import type { MeasuredCombination } from "../domain/profile-schema.ts";
import { membersOf } from "./composite.ts";
import { type EffectPriors, regressed } from "./table-regression.ts";

/** A larger table is not worth fitting: its makers measured what they wanted to know. */
const MOST_COMBINATIONS = 10_000;
/** Of all combinations of variants with a profile that have to be measured: fewer are exceptions that somebody wrote down, not a sample. */
const LEAST_SHARE = 0.5;
/**
 * What is taken to be known before anything is measured, in log-odds. γ is the share of what `alone` does beyond a sum over the variants that
 * is too much or too little: −1 and 0, no interaction and all of it, are two standard deviations from the middle. How far variants are from
 * `alone` was chosen by cross-validation over the pipelines that come with the package (docs/report/accuracy.md).
 */
const PRIORS: EffectPriors = { variant: 0.15, interaction: { mean: -0.5, deviation: 0.25 } };
/** Where it is not known how many items a combination was measured with: the default of `variscale profile`. */
const ITEMS = 300;
/** Shares within this of 0 and 1 count as this: an accuracy of 0 has no log-odds. */
const LEAST = 1e-3;

export interface FittedCombination {
  /** A variant for every stage, in their order. */
  readonly names: readonly string[];
  readonly accuracy: number;
}

/**
 * Accuracy of the combinations that were not measured, where most were. Log-odds of what the stages' accuracies make of it (`alone`), and of
 * how far the measured combinations are from that: mean + Σ effect of each variant + γ · what of `alone` is no sum over the variants.
 * γ = 0: errors of one stage cost as many right items of another as `alone` says; γ = −1: as much of its log-odds, as where a later stage makes
 * up for them. The fewer items were measured, the nearer it stays to what is taken for granted (`PRIORS`). Common causes of errors
 * and errors that are passed on or repaired are in it; what two variants alone do to each other is not. Strictly between 0 and 1.
 */
export function fittedCombinations(
  { stages, accuracy }: Pipeline,
  alone: (names: readonly string[]) => number,
): readonly FittedCombination[] {
  const all = combinationsOf(stages);
  const measured = new Map<string, MeasuredCombination>();
  for (const combination of accuracy.combinations) {
    const key = keyOf(stages.map(stage => combination.variants[stage.name] ?? ""));
    if (!measured.has(key)) measured.set(key, combination);
  }
  const missing = all.filter(names => !measured.has(keyOf(names)));
  // A variant that nothing was measured of is no hole in the table.
  const profiled = stages.map(({ variants }) => new Set(variants.flatMap(one => (one.profile ? one.name : []))));
  const wanted = all.filter(names => names.every((name, s) => profiled[s]?.has(name)));
  const without = wanted.filter(names => !measured.has(keyOf(names))).length;
  if (missing.length === 0 || without > (1 - LEAST_SHARE) * wanted.length) return [];
  const oddsAlone = (names: readonly string[]): number => logOdds(alone(names), LEAST);
  const seen = stages.map(stage => new Set([...measured.values()].map(({ variants }) => variants[stage.name] ?? "")));
  const isSeen = (names: readonly string[]): boolean => names.every((name, s) => seen[s]?.has(name));
  const interactionOf = interactions(all.filter(isSeen), stages.length, oddsAlone);
  const points = all.flatMap(names => {
    const own = measured.get(keyOf(names));
    if (!own) return [];
    const difference = logOdds(own.accuracy, LEAST) - oddsAlone(names);
    return [{ names, difference, interaction: interactionOf(names) }];
  });
  // The same for all: a share that chance has raised would else count for less than one that it has lowered.
  const noise = [...measured.values()].reduce((sum, own) => sum + varianceOf(own), 0) / measured.size;
  const differenceOf = regressed(points, stages.length, PRIORS, 1 / noise);
  return missing.map(names => ({
    names,
    accuracy: shareOf(oddsAlone(names) + differenceOf({ names, interaction: interactionOf(names) })),
  }));
}

/** Of the log-odds of a share that so many items were right on. */
function varianceOf({ accuracy, items = ITEMS }: MeasuredCombination): number {
  const share = Math.min(1 - LEAST, Math.max(LEAST, accuracy));
  return 1 / (items * share * (1 - share));
}

/** What of a table is no sum of one number for each variant: the table less its means along every stage; of variants that are not in it nothing. */
function interactions(
  all: readonly (readonly string[])[],
  stages: number,
  of: (names: readonly string[]) => number,
): (names: readonly string[]) => number {
  const mean = all.reduce((sum, names) => sum + of(names), 0) / all.length;
  const sums = Array.from({ length: stages }, () => new Map<string, { sum: number; count: number }>());
  for (const names of all)
    for (const [s, own] of sums.entries()) {
      const { sum, count } = own.get(names[s] ?? "") ?? { sum: 0, count: 0 };
      own.set(names[s] ?? "", { sum: sum + of(names) - mean, count: count + 1 });
    }
  return names =>
    names.every((name, s) => sums[s]?.has(name))
      ? sums.reduce((rest, own, s) => {
          const { sum, count } = own.get(names[s] ?? "") ?? { sum: 0, count: 1 };
          return rest - sum / count;
        }, of(names) - mean)
      : 0;
}

function shareOf(odds: number): number {
  return 1 / (1 + Math.exp(-odds));
}

/** Empty for tables that are too large. Votes and splits are made of variants, and are in no table. */
function combinationsOf(stages: readonly Stage[]): readonly (readonly string[])[] {
  const names = stages.map(stage => stage.variants.flatMap(one => (membersOf(one).length === 0 ? one.name : [])));
  if (names.reduce((product, own) => product * own.length, 1) > MOST_COMBINATIONS) return [];
  return names.reduce<readonly (readonly string[])[]>(
    (before, own) => before.flatMap(chosen => own.map(name => [...chosen, name])),
    [[]],
  );
}

function keyOf(names: readonly string[]): string {
  return names.join("/");
}
