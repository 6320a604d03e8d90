import { brokenBy, type Combination } from "./combination.ts";
import { seedReplicas } from "./replica-seed.ts";
import type { Scope } from "./scope.ts";
import type { SearchState } from "./search-state.ts";
import type { Option, OptionList } from "./stage-options.ts";
import { envelopeOf } from "./stage-options.ts";
import { NOTHING, plus, sumsFromEnd, type Totals } from "./totals.ts";
import { type Cumulative, chanceSumWithin, entriesFor, sumOf } from "./wait-distribution.ts";

/** The combination's options that are left, with what bounds them from the stages from an index on. */
interface Field {
  readonly lists: readonly OptionList[];
  readonly entries: number;
  /** Entry i: the least that the stages from i on take together. */
  readonly least: readonly Totals[];
  /** Entry i: never below the distribution of any choice for the stages from i on. */
  readonly envelopes: readonly (Cumulative | null)[];
}

interface Prefix {
  readonly options: readonly Option[];
  readonly totals: Totals;
  readonly cumulative: Cumulative | null;
}

/**
 * Chooses batch and replicas of every stage for one combination of variants: a good choice first, then all options that could
 * be part of a better one, by branch and bound. Every improvement goes to `state`.
 */
export function searchReplicas(scope: Scope, state: SearchState, combination: Combination): void {
  seedReplicas(scope, state, combination);
  const field = narrow(scope, state, combination, fieldOf(scope, combination.lists));
  if (field) visit({ scope, state, combination, field }, { options: [], totals: NOTHING, cumulative: null });
}

function fieldOf(scope: Scope, lists: readonly OptionList[]): Field {
  const least = sumsFromEnd(lists.map(list => list.least));
  const entries = entriesFor(scope.stepMs, scope.sloMs - (least[0]?.constantMs ?? 0));
  const envelopes: (Cumulative | null)[] = [null];
  for (const list of lists.toReversed()) envelopes.push(sumOf(list.envelope, envelopes.at(-1) ?? null, entries));
  return { lists, entries, least, envelopes: envelopes.reverse() };
}

/** Leaves out options that are not in a better choice even when all other stages are at their best; null: none is left. */
function narrow(scope: Scope, state: SearchState, combination: Combination, field: Field): Field | null {
  const { lists, entries, least, envelopes } = field;
  const worth = scope.problem.pipeline.objective.weights.accuracy * combination.accuracy;
  const threshold = state.toBeat();
  let before: Cumulative | null = null;
  let totalsBefore: Totals = NOTHING;
  const narrowed: OptionList[] = [];
  for (const [index, list] of lists.entries()) {
    const others = sumOf(before, envelopes[index + 1] ?? null, entries);
    const othersTake = plus(totalsBefore, least[index + 1] ?? NOTHING);
    const options = list.options.filter(option => {
      const price = option.price + othersTake.price + combination.switchPrice;
      if (worth - price <= threshold) return false;
      const leftMs = scope.sloMs - option.constantMs - othersTake.constantMs;
      return worth * chanceSumWithin(option.cumulative, others, scope.stepMs, leftMs) - price > threshold;
    });
    state.spend(list.options.length);
    if (options.length === 0) return null;
    narrowed.push({ ...list, options, envelope: envelopeOf(scope, options, list.least.constantMs) });
    before = sumOf(before, list.envelope, entries);
    totalsBefore = plus(totalsBefore, list.least);
  }
  return fieldOf(scope, narrowed);
}

interface Search {
  readonly scope: Scope;
  readonly state: SearchState;
  readonly combination: Combination;
  readonly field: Field;
}

function visit(search: Search, prefix: Prefix): void {
  const { scope, state, combination, field } = search;
  const index = prefix.options.length;
  const isLast = index + 1 === field.lists.length;
  const worth = scope.problem.pipeline.objective.weights.accuracy * combination.accuracy;
  const after = field.least[index + 1] ?? NOTHING;
  const others = sumOf(prefix.cumulative, field.envelopes[index + 1] ?? null, field.entries);
  for (const option of field.lists[index]?.options ?? []) {
    if (state.isExhausted()) return;
    state.spend(1);
    const totals = plus(prefix.totals, option);
    const price = totals.price + after.price + combination.switchPrice;
    if (worth - price <= state.toBeat()) return;
    const leftMs = scope.sloMs - totals.constantMs - after.constantMs;
    const within = chanceSumWithin(option.cumulative, others, scope.stepMs, leftMs);
    const bound = worth * within - price;
    if (bound <= state.toBeat()) continue;
    const broken = brokenBy(scope, state, within, plus(totals, after));
    const options = [...prefix.options, option];
    if (broken) state.reject(broken, bound);
    else if (isLast) state.record({ ...combination, options, within, objective: bound });
    else visit(search, { options, totals, cumulative: sumOf(prefix.cumulative, option.cumulative, field.entries) });
  }
}
