import { brokenBy, type Combination } from "./combination.ts";
import type { Scope } from "./scope.ts";
import { EFFORT, type SearchState } from "./search-state.ts";
import type { Option, OptionList } from "./stage-options.ts";
import { NOTHING, plus, sumsFromEnd, type Totals } from "./totals.ts";
import { type Cumulative, chanceSumWithin, entriesFor, sumOf } from "./wait-distribution.ts";

const PASSES = 3;

/**
 * A good choice for a combination of variants in little time, so that the exact search can leave out most options: the fastest
 * options (or, where they take too much, the cheapest), then stage by stage the best option given the others.
 */
export function seedReplicas(scope: Scope, state: SearchState, combination: Combination): void {
  const fastest = combination.lists.map(list => fastestOf(scope, list));
  const cheapest = combination.lists.map(list => list.options[0]);
  for (const start of [fastest, cheapest]) {
    const choice = start.filter(option => option !== undefined);
    if (choice.length === combination.lists.length && improve(scope, state, combination, choice)) return;
  }
}

function fastestOf(scope: Scope, list: OptionList): Option | undefined {
  let fastest: Option | undefined;
  let leastMs = Number.POSITIVE_INFINITY;
  for (const option of list.options) {
    let entries = 0;
    for (const chance of option.cumulative) entries += 1 - chance;
    const meanMs = option.constantMs + entries * scope.stepMs;
    if (meanMs < leastMs) {
      leastMs = meanMs;
      fastest = option;
    }
  }
  return fastest;
}

/** False: no choice was found that keeps every constraint. */
function improve(scope: Scope, state: SearchState, combination: Combination, choice: Option[]): boolean {
  let objective = Number.NEGATIVE_INFINITY;
  for (let pass = 0; pass < PASSES; pass++) {
    const before = objective;
    objective = onePass(scope, state, combination, choice, objective);
    if (objective === before) break;
  }
  return objective > Number.NEGATIVE_INFINITY;
}

/** Replaces options of `choice` by better ones, stage by stage; returns the objective that is reached. */
function onePass(
  scope: Scope,
  state: SearchState,
  combination: Combination,
  choice: Option[],
  reached: number,
): number {
  const worth = scope.problem.pipeline.objective.weights.accuracy * combination.accuracy;
  const entries = entriesFor(scope.stepMs, scope.sloMs);
  const after: (Cumulative | null)[] = [null];
  for (const option of choice.toReversed()) after.push(sumOf(option.cumulative, after.at(-1) ?? null, entries));
  after.reverse();
  state.spend(2 * EFFORT.sum * choice.length);
  const takenAfter = sumsFromEnd(choice);
  let before: Cumulative | null = null;
  let taken: Totals = NOTHING;
  let objective = reached;
  for (const [index, list] of combination.lists.entries()) {
    const others = sumOf(before, after[index + 1] ?? null, entries);
    const othersTake = plus(taken, takenAfter[index + 1] ?? NOTHING);
    for (const option of list.options) {
      const totals = plus(othersTake, option);
      const price = totals.price + combination.switchPrice;
      if (worth - price <= objective) break;
      state.spend(EFFORT.chance);
      const within = chanceSumWithin(option.cumulative, others, scope.stepMs, scope.sloMs - totals.constantMs);
      if (worth * within - price <= objective || brokenBy(scope, state, within, totals)) continue;
      objective = worth * within - price;
      choice[index] = option;
      state.record({ options: [...choice], within, objective, ...combination });
    }
    const chosen = choice[index];
    before = sumOf(before, chosen?.cumulative ?? null, entries);
    taken = plus(taken, chosen ?? NOTHING);
  }
  return objective;
}
