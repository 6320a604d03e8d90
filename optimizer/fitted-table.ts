import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { membersOf } from "./composite.ts";

/** A larger table is not worth fitting: its makers measured what they wanted to know. */
const MOST_COMBINATIONS = 10_000;
/** Of all combinations that have to be measured: fewer are exceptions that somebody wrote down, not a sample. */
const LEAST_SHARE = 0.5;
/** Measured combinations that count for an effect of none: one alone says little about its variants. */
const RIDGE = 0.25;
const MOST_SWEEPS = 100;
/** Effects that move by less have been found. */
const LEAST_MOVE = 1e-9;
/** Added to both sides of a ratio: an accuracy of 0 has no logarithm. */
const FLOOR = 1e-3;

export interface FittedCombination {
  /** A variant for every stage, in their order. */
  readonly names: readonly string[];
  readonly accuracy: number;
}

/**
 * Accuracy of the combinations that were not measured, where most were: what the stages' accuracies make of it (`alone`), times how far
 * the measured combinations of its variants are from that, ln ratio = mean + Σ effect of each variant, by ridge regression. Common causes
 * of errors and errors that are passed on are in the ratios; what two variants do to each other alone is not.
 */
export function fittedCombinations(
  { stages, accuracy }: Pipeline,
  alone: (names: readonly string[]) => number,
): readonly FittedCombination[] {
  const all = combinationsOf(stages);
  const measured = new Map<string, number>();
  for (const { variants, accuracy: share } of accuracy.combinations) {
    const key = keyOf(stages.map(stage => variants[stage.name] ?? ""));
    if (!measured.has(key)) measured.set(key, share);
  }
  const known = all.flatMap(names => {
    const share = measured.get(keyOf(names));
    return share === undefined ? [] : [{ names, ratio: Math.log((share + FLOOR) / (alone(names) + FLOOR)) }];
  });
  if (known.length === all.length || known.length < LEAST_SHARE * all.length) return [];
  const ratioOf = fitted(known, stages.length);
  return all
    .filter(names => !measured.has(keyOf(names)))
    .map(names => ({
      names,
      accuracy: Math.min(1, Math.max(0, (alone(names) + FLOOR) * Math.exp(ratioOf(names)) - FLOOR)),
    }));
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

/** Ridge regression on main effects, one variant after the other until nothing moves any more (Gauss–Seidel). */
function fitted(
  known: readonly { readonly names: readonly string[]; readonly ratio: number }[],
  stages: number,
): (names: readonly string[]) => number {
  const effects = Array.from({ length: stages }, () => new Map<string, number>());
  let mean = 0;
  const effectsOf = (names: readonly string[], but = -1): number =>
    effects.reduce((sum, own, s) => sum + (s === but ? 0 : (own.get(names[s] ?? "") ?? 0)), 0);
  let moved = Number.POSITIVE_INFINITY;
  for (let sweep = 0; sweep < MOST_SWEEPS && moved > LEAST_MOVE; sweep++) {
    moved = 0;
    mean = known.reduce((sum, { names, ratio }) => sum + ratio - effectsOf(names), 0) / known.length;
    for (const [s, own] of effects.entries()) {
      const sums = new Map<string, { rest: number; count: number }>();
      for (const { names, ratio } of known) {
        const name = names[s] ?? "";
        const { rest, count } = sums.get(name) ?? { rest: 0, count: 0 };
        sums.set(name, { rest: rest + ratio - mean - effectsOf(names, s), count: count + 1 });
      }
      for (const [name, { rest, count }] of sums) {
        const effect = rest / (count + RIDGE);
        moved = Math.max(moved, Math.abs(effect - (own.get(name) ?? 0)));
        own.set(name, effect);
      }
    }
  }
  return names => mean + effectsOf(names);
}

function keyOf(names: readonly string[]): string {
  return names.join("/");
}
