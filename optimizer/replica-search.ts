import { brokenBy, type Combination } from "./combination.ts";
import { type Frontier, type Frontiers, frontiersOf } from "./frontier.ts";
import { seedReplicas } from "./replica-seed.ts";
import type { Scope } from "./scope.ts";
import { EFFORT, type SearchState } from "./search-state.ts";
import type { Option } from "./stage-options.ts";
import { NOTHING, plus, type Totals } from "./totals.ts";
import { type Cumulative, chanceSumWithin, sumOf } from "./wait-distribution.ts";

interface Search {
  readonly scope: Scope;
  readonly state: SearchState;
  readonly combination: Combination;
  readonly frontiers: Frontiers;
  /** What being in time is worth. */
  readonly worth: number;
}

interface Prefix {
  readonly options: readonly Option[];
  readonly totals: Totals;
  readonly cumulative: Cumulative | null;
}

/**
 * Chooses batch and replicas of every stage for one combination of variants: a good choice first, then by branch and bound
 * whatever could be better. Every improvement goes to `state`.
 */
export function searchReplicas(scope: Scope, state: SearchState, combination: Combination): void {
  seedReplicas(scope, state, combination);
  const worth = scope.problem.pipeline.objective.weights.accuracy * combination.accuracy;
  const leastPrice = combination.lists.reduce((sum, list) => sum + list.least.price, combination.switchPrice);
  const room = worth - leastPrice - state.toBeat();
  if (!(room > 0)) return;
  const frontiers = frontiersOf(scope, combination.lists, room);
  state.spend(EFFORT.sum * frontiers.sums);
  visit({ scope, state, combination, frontiers, worth }, { options: [], totals: NOTHING, cumulative: null });
}

function visit(search: Search, prefix: Prefix): void {
  const { scope, state, combination, frontiers, worth } = search;
  const index = prefix.options.length;
  const isLast = index + 1 === combination.lists.length;
  const after = frontiers.stages[index + 1];
  if (!after) return;
  const others = othersOf(search, prefix, after);
  for (const option of combination.lists[index]?.options ?? []) {
    if (state.isExhausted()) return;
    const totals = plus(prefix.totals, option);
    const atLeast = plus(totals, after.least);
    const inTime = worth - atLeast.price - combination.switchPrice;
    if (inTime <= state.toBeat()) return;
    const best = bestOf(search, option, others, atLeast);
    const options = [...prefix.options, option];
    const broken = brokenBy(scope, state, best.within, atLeast);
    if (broken) state.reject(broken, inTime);
    else if (best.bound <= state.toBeat()) continue;
    else if (isLast) state.record({ options, within: best.within, objective: best.bound, ...combination });
    else visit(search, { options, totals, cumulative: sumOf(prefix.cumulative, option.cumulative, frontiers.entries) });
  }
}

interface Others {
  /** Above the least that the stages after this one take. */
  readonly price: number;
  readonly cumulative: Cumulative | null;
}

/** What comes before and after a stage together, for every price of what comes after. */
function othersOf(search: Search, prefix: Prefix, after: Frontier): Others[] {
  const { combination, frontiers, worth, state } = search;
  const price = prefix.totals.price + after.least.price + combination.switchPrice;
  if (prefix.options.length + 1 === combination.lists.length) return [{ price: 0, cumulative: prefix.cumulative }];
  const others: Others[] = [];
  for (const [k, envelope] of after.envelopes.entries()) {
    const above = k * frontiers.priceStep;
    if (!envelope || worth - price - above <= state.toBeat()) continue;
    others.push({ price: above, cumulative: sumOf(prefix.cumulative, envelope, frontiers.entries) });
  }
  state.spend(EFFORT.sum * others.length);
  return others;
}

/**
 * Whether an option can be part of something better than the best so far: the highest objective and chance to be within the SLO,
 * or the first of them that are good enough.
 */
function bestOf(search: Search, option: Option, others: readonly Others[], atLeast: Totals) {
  const { scope, state, combination, worth } = search;
  const { quantile } = scope.problem.pipeline.slo;
  let bound = Number.NEGATIVE_INFINITY;
  let most = 0;
  for (const { price, cumulative } of others) {
    const allPrice = atLeast.price + price + combination.switchPrice;
    if (worth - allPrice <= state.toBeat()) break;
    const within = chanceSumWithin(option.cumulative, cumulative, scope.stepMs, scope.sloMs - atLeast.constantMs);
    state.spend(EFFORT.chance);
    bound = Math.max(bound, worth * within - allPrice);
    most = Math.max(most, within);
    if (bound > state.toBeat() && (state.slo === "soft" || most >= quantile)) break;
  }
  return { bound, within: most };
}
