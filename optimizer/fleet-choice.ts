import type { Plan } from "../domain/plan.ts";

/** A plan of one pipeline, and what it takes of what is shared. */
export interface Choice {
  readonly plan: Plan;
  readonly cores: number;
  readonly memoryMiB: number;
}

/** Limits that are not set are infinite. */
export interface Most {
  readonly cores: number;
  readonly memoryMiB: number;
}

export interface Chosen {
  readonly choices: readonly Choice[];
  /** What all capacity would be worth at the price of the first change that found no room. */
  readonly level: number;
}

/**
 * One of each pipeline's choices so that all fit and the sum of objectives is high: from the cheapest ones on, again and again the
 * change that gains the most for what it takes, then changes that gain and still fit. Null: the cheapest ones do not fit.
 */
export function chooseWithin(choices: readonly (readonly Choice[])[], most: Most): Chosen | null {
  const hulls = choices.map(list => hullOf(list, most));
  const chosen = startOf(choices, hulls, most);
  if (!chosen) return null;
  let cores = chosen.reduce((sum, choice) => sum + choice.cores, 0);
  let memoryMiB = chosen.reduce((sum, choice) => sum + choice.memoryMiB, 0);
  const fits = (from: Choice, to: Choice) =>
    cores - from.cores + to.cores <= most.cores + ROUNDING &&
    memoryMiB - from.memoryMiB + to.memoryMiB <= most.memoryMiB + ROUNDING;
  const take = (p: number, from: Choice, to: Choice): void => {
    cores += to.cores - from.cores;
    memoryMiB += to.memoryMiB - from.memoryMiB;
    chosen[p] = to;
  };
  const steps = hulls.flatMap((hull, p) =>
    hull.slice(1).map((to, i) => ({ p, to, ratio: ratioOf(hull[i] ?? to, to, most) })),
  );
  let level = 0;
  for (const { p, to, ratio } of steps.sort((a, b) => b.ratio - a.ratio)) {
    const from = chosen[p];
    if (!from || to.plan.objective <= from.plan.objective) continue;
    if (fits(from, to)) take(p, from, to);
    else level ||= ratio;
  }
  // What is left over may still be enough for choices off the hull.
  for (const [p, list] of choices.entries())
    for (const to of list) {
      const from = chosen[p];
      if (from && to.plan.objective > from.plan.objective && fits(from, to)) take(p, from, to);
    }
  return { choices: chosen, level };
}

/** The choices that take the least of everything together, or else of cores, or of memory: the first that fit. Null: none do. */
function startOf(
  choices: readonly (readonly Choice[])[],
  hulls: readonly (readonly Choice[])[],
  most: Most,
): Choice[] | null {
  const leastOf = (size: (choice: Choice) => number) =>
    choices.map(list => list.reduce<Choice | undefined>((a, b) => (a && size(a) <= size(b) ? a : b), undefined));
  const starts = [hulls.map(hull => hull[0]), leastOf(choice => choice.cores), leastOf(choice => choice.memoryMiB)];
  for (const start of starts) {
    const all = start.flatMap(choice => choice ?? []);
    const cores = all.reduce((sum, choice) => sum + choice.cores, 0);
    const memoryMiB = all.reduce((sum, choice) => sum + choice.memoryMiB, 0);
    const fits = cores <= most.cores + ROUNDING && memoryMiB <= most.memoryMiB + ROUNDING;
    if (fits && all.length === choices.length) return all;
  }
  return null;
}

/** The choices that gain the most for what they take, cheapest first: each step gains less for as much than the one before. */
function hullOf(list: readonly Choice[], most: Most): Choice[] {
  const sorted = list.toSorted((a, b) => sizeOf(a, most) - sizeOf(b, most) || b.plan.objective - a.plan.objective);
  const hull: Choice[] = [];
  for (const choice of sorted) {
    const last = hull.at(-1);
    if (last && choice.plan.objective <= last.plan.objective) continue;
    while (hull.length > 1) {
      const [before, top] = hull.slice(-2);
      if (!before || !top || ratioOf(before, top, most) >= ratioOf(top, choice, most)) break;
      hull.pop();
    }
    hull.push(choice);
  }
  return hull;
}

function ratioOf(from: Choice, to: Choice, most: Most): number {
  return (to.plan.objective - from.plan.objective) / Math.max(1e-15, sizeOf(to, most) - sizeOf(from, most));
}

/** Share of all capacity together. */
function sizeOf({ cores, memoryMiB }: Choice, most: Most): number {
  const ofCores = Number.isFinite(most.cores) ? cores / Math.max(1e-9, most.cores) : 0;
  return ofCores + (Number.isFinite(most.memoryMiB) ? memoryMiB / Math.max(1e-9, most.memoryMiB) : 0);
}

const ROUNDING = 1e-9;
