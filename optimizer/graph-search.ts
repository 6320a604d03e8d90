import { brokenBy, type Combination } from "./combination.ts";
import { fromZero, graphWithin } from "./graph-latency.ts";
import type { Scope } from "./scope.ts";
import { EFFORT, type SearchState } from "./search-state.ts";
import type { Option } from "./stage-options.ts";
import { NOTHING, plus, sumsFromEnd, type Totals } from "./totals.ts";
import type { Cumulative } from "./wait-distribution.ts";

const PASSES = 3;

interface Search {
  readonly scope: Scope;
  readonly state: SearchState;
  readonly combination: Combination;
  /** By stage and option. */
  readonly latencies: readonly (readonly Cumulative[])[];
  /** Never below the distribution of any option of the stage. */
  readonly envelopes: readonly Cumulative[];
  /** Entry i: the least that the stages from i on take. */
  readonly least: readonly Totals[];
  readonly worth: number;
}

/** As `searchReplicas`, where stages form a graph: branch and bound over the stages' options after a good first choice. */
export function searchGraph(scope: Scope, state: SearchState, combination: Combination): void {
  const latencies = combination.lists.map(({ options }) => options.map(option => fromZero(option, scope.stepMs)));
  const search: Search = {
    scope,
    state,
    combination,
    latencies,
    envelopes: latencies.map(highest),
    least: sumsFromEnd(combination.lists.map(list => list.least)),
    worth: scope.problem.pipeline.objective.weights.accuracy * combination.accuracy,
  };
  const cheapest = combination.lists.map(() => 0);
  const fastest = latencies.map(list => indexOfMost(list.map(sum)));
  for (const start of [fastest, cheapest]) if (improve(search, start)) break;
  visit(search, [], NOTHING);
}

export function highest(distributions: readonly Cumulative[]): Cumulative {
  const [first, ...others] = distributions;
  const envelope = new Float64Array(first ?? []);
  for (const other of others)
    for (const [i, chance] of other.entries()) if (chance > (envelope[i] ?? 0)) envelope[i] = chance;
  return envelope;
}

/** Better options stage by stage; false: none that keeps every constraint was found. */
function improve(search: Search, chosen: number[]): boolean {
  const { scope, state, combination, latencies, worth } = search;
  let reached = Number.NEGATIVE_INFINITY;
  for (let pass = 0; pass < PASSES; pass++) {
    const before = reached;
    for (const [s, list] of combination.lists.entries()) {
      for (const o of list.options.keys()) {
        const choice = chosen.with(s, o);
        const options = choice.flatMap((index, t) => combination.lists[t]?.options[index] ?? []);
        const totals = options.reduce<Totals>(plus, NOTHING);
        const price = totals.price + combination.switchPrice;
        if (worth - price <= reached) continue;
        state.spend(EFFORT.sum * options.length);
        const within = graphWithin(
          scope,
          choice.map((index, t) => latencies[t]?.[index] ?? null),
        );
        if (worth * within - price <= reached || brokenBy(scope, state, within, totals)) continue;
        reached = worth * within - price;
        chosen[s] = o;
        state.record({ options, within, objective: reached, ...combination });
      }
    }
    if (reached === before) break;
  }
  return reached > Number.NEGATIVE_INFINITY;
}

function visit(search: Search, chosen: readonly number[], totals: Totals): void {
  const { scope, state, combination, latencies, envelopes, least, worth } = search;
  const s = chosen.length;
  const isLast = s + 1 === combination.lists.length;
  for (const [o, option] of (combination.lists[s]?.options ?? []).entries()) {
    if (state.isExhausted()) return;
    const taken = plus(totals, option);
    const atLeast = plus(taken, least[s + 1] ?? NOTHING);
    const price = atLeast.price + combination.switchPrice;
    if (worth - price <= state.toBeat()) return;
    const choice = [...chosen, o];
    state.spend(EFFORT.sum * combination.lists.length);
    const within = graphWithin(
      scope,
      envelopes.map((envelope, t) => (t <= s ? (latencies[t]?.[choice[t] ?? 0] ?? null) : envelope)),
    );
    const broken = brokenBy(scope, state, within, atLeast);
    if (broken) state.reject(broken, worth - price);
    else if (worth * within - price <= state.toBeat()) continue;
    else if (isLast) {
      const options = choice.flatMap(
        (index, t): Option[] => combination.lists[t]?.options.slice(index, index + 1) ?? [],
      );
      state.record({ options, within, objective: worth * within - price, ...combination });
    } else visit(search, choice, taken);
  }
}

function indexOfMost(values: readonly number[]): number {
  return values.reduce((most, value, i) => (value > (values[most] ?? 0) ? i : most), 0);
}

function sum(values: Cumulative): number {
  return values.reduce((total, value) => total + value, 0);
}
