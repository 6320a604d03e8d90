import type { Stage, Variant } from "../domain/pipeline.ts";
import { serviceMs } from "../domain/profile.ts";
import { latentCorrelation } from "./error-correlation.ts";
import { voteAccuracies } from "./vote.ts";

/** Variants that vote, and the share of rows that their vote is right on. */
export interface VoteSet {
  readonly voters: readonly Variant[];
  readonly accuracy: number;
}

export type MeasuredVotes = NonNullable<Stage["votes"]>["measured"];

const SIZES = [3, 5];
/** So many variants have 16,644 sets of three and five; of a hundred there are 75 million. */
const MOST_VOTERS = 20;

/** The variants that may serve together, the most accurate ones first: how good and how fast they are is known. */
export function votersOf(variants: Stage["variants"]): readonly Variant[] {
  return variants
    .filter(({ profile, accuracy, ...variant }) => profile !== null && accuracy !== null && !("members" in variant))
    .toSorted((a, b) => (b.accuracy ?? 0) - (a.accuracy ?? 0));
}

/** False: `voteSets` leaves sets out, so what is best of them may not be the best of all. */
export function areAllSets(variants: Stage["variants"]): boolean {
  return votersOf(variants).length <= MOST_VOTERS;
}

/** Whether `voteSets` has this set of variants by itself. */
export function isAmongSets(variants: Stage["variants"], measured: MeasuredVotes, set: readonly string[]): boolean {
  const pool = poolOf(votersOf(variants));
  if (SIZES.includes(set.length) && set.every(name => pool.some(voter => voter.name === name))) return true;
  return measured.some(known => keyOf(known.variants) === keyOf(set));
}

/**
 * Every set of three and five variants; where there are too many voters, of the most accurate and the lightest of them; and those
 * that were measured, and `others`, which may have any size. What was measured of a set wins; else its accuracy is `voteAccuracy`, with one
 * difficulty of items for all variants of the stage: the one at which right and wrong of two of their mean accuracy have this correlation.
 * A variant without a known accuracy counts as 1.
 */
export function voteSets(
  variants: Stage["variants"],
  correlation: number,
  measured: MeasuredVotes,
  others: readonly (readonly string[])[] = [],
): VoteSet[] {
  const pool = poolOf(votersOf(variants));
  const known = new Map(measured.map(set => [keyOf(set.variants), set.accuracy]));
  const given = [...measured.map(set => set.variants), ...others].filter(set => !isAmongSets(variants, [], set));
  const extra = given.flatMap(set => votersNamed(variants, set) ?? []);
  const voters = [...new Set([...pool, ...extra.flat()])];
  const sets = [
    ...SIZES.flatMap(size => [...subsets([...pool.keys()], size)]),
    ...extra.map(set => set.map(voter => voters.indexOf(voter))),
  ];
  const accuracies = voters.map(({ accuracy }) => accuracy ?? 1);
  const mean = pool.reduce((sum, { accuracy }) => sum + (accuracy ?? 0), 0) / Math.max(1, pool.length);
  const computed = voteAccuracies(accuracies, sets, latentCorrelation(correlation, mean));
  return sets.map((set, i) => {
    const own = set.flatMap(index => voters[index] ?? []);
    return { voters: own, accuracy: known.get(keyOf(own.map(({ name }) => name))) ?? computed[i] ?? 0 };
  });
}

/** The most accurate first; null: one of them can't vote. */
function votersNamed(variants: Stage["variants"], set: readonly string[]): (readonly Variant[])[] | null {
  const voters = variants.filter(variant => set.includes(variant.name) && variant.profile !== null);
  if (voters.length !== set.length) return null;
  return [voters.toSorted((a, b) => (b.accuracy ?? 1) - (a.accuracy ?? 1))];
}

/** The most accurate half, and the lightest of the others. */
function poolOf(voters: readonly Variant[]): readonly Variant[] {
  if (voters.length <= MOST_VOTERS) return voters;
  const half = MOST_VOTERS / 2;
  const lightest = voters.slice(half).toSorted((a, b) => workOf(a) - workOf(b));
  return [...voters.slice(0, half), ...lightest.slice(0, half)];
}

/** Core-milliseconds of one row by itself. */
export function workOf({ profile }: Variant): number {
  return profile ? serviceMs(profile, 1) * profile.cores : 0;
}

/** The same for the same variants in any order. */
function keyOf(names: readonly string[]): string {
  return [...names].sort().join("+");
}

function* subsets<T>(values: readonly T[], size: number): Generator<T[]> {
  if (size === 0) yield [];
  else
    for (const [i, value] of values.entries())
      for (const rest of subsets(values.slice(i + 1), size - 1)) yield [value, ...rest];
}
