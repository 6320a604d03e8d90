import { brokenBy } from "./combination.ts";
import { searchReplicas } from "./replica-search.ts";
import { fanOutAt, type Scope, type ScopeStage, type ScopeVariant } from "./scope.ts";
import { EFFORT, type SearchResult, type SearchState, startSearch } from "./search-state.ts";
import { neededReplicas, type OptionList, stageOptions } from "./stage-options.ts";
import { NOTHING, plus, SLACK, sumsFromEnd, type Totals } from "./totals.ts";
import { type Cumulative, chanceWithin, convolve, entriesFor } from "./wait-distribution.ts";

/** Effort that one search may take: some tenths of a second. */
const BUDGET = 150_000;

interface Node {
  readonly variants: readonly string[];
  readonly lists: readonly OptionList[];
  /** Rows of one request at the next stage, whatever the last variant is. */
  readonly rows: number;
  readonly envelope: Cumulative | null;
  /** The least that any choice of batches and replicas takes. */
  readonly least: Totals;
  readonly switchPrice: number;
}

/** Group sizes beyond this are as good as infinite; keeps products of fan-outs finite. */
const MOST_ROWS = 1e12;

/**
 * Depth-first branch and bound over the variants of the stages, most promising first. A partial combination is left when even
 * its bound (the most accurate completion, the cheapest options of all stages, the envelope of their latencies) is not above
 * what was found, or breaks a constraint. Every full combination gets its batches and replicas from `searchReplicas`.
 */
export function searchVariants(scope: Scope, slo: "hard" | "soft"): SearchResult {
  const state = startSearch(slo, BUDGET);
  const search = { scope, state, rest: restOf(scope), lists: new Map<string, OptionList>() };
  visit(search, {
    variants: [],
    lists: [],
    rows: 1,
    envelope: null,
    least: NOTHING,
    switchPrice: 0,
  });
  return state.result();
}

interface Search {
  readonly scope: Scope;
  readonly state: SearchState;
  /** Entry i: the least that the stages from i on take, whatever their variants. */
  readonly rest: readonly Totals[];
  readonly lists: Map<string, OptionList>;
}

interface Branch {
  readonly variant: ScopeVariant;
  readonly variants: readonly string[];
  readonly rows: number;
  readonly bound: number;
  readonly switchPrice: number;
}

function visit(search: Search, node: Node): void {
  const { scope, state } = search;
  const index = node.variants.length;
  const stage = scope.stages[index];
  if (!stage) {
    visitCombination(search, node);
    return;
  }
  for (const branch of branchesOf(search, node, stage, index)) {
    const full = index + 1 === scope.stages.length;
    if (branch.bound <= state.threshold(full ? branch.variants : null)) {
      if (branch.bound <= state.threshold(null)) return;
      continue;
    }
    if (state.isExhausted()) {
      state.leave(branch.bound);
      return;
    }
    state.spend(EFFORT.sum);
    const child = childOf(search, node, stage, index, branch);
    if (child) visit(search, child);
  }
}

function branchesOf(search: Search, node: Node, stage: ScopeStage, index: number): Branch[] {
  const { scope, rest } = search;
  const { weights } = scope.problem.pipeline.objective;
  const after = rest[index + 1]?.price ?? 0;
  search.state.spend(EFFORT.branch * stage.variants.length);
  const branches = stage.variants.map(variant => {
    const variants = [...node.variants, variant.name];
    const rows = Math.min(MOST_ROWS, node.rows * fanOutAt(scope, index, node.variants.at(-1) ?? null));
    const replicas = fewestReplicas(scope, stage, rows, variant.capacity);
    const price = weights.cost * replicas * stage.stage.cores + weights.batch * Math.min(...variant.batches);
    const isSwitch = stage.currentVariant !== null && stage.currentVariant !== variant.name;
    const switchPrice = node.switchPrice + (isSwitch ? weights.switch : 0);
    const bound = weights.accuracy * scope.accuracy.most(variants) - node.least.price - price - after - switchPrice;
    return { variant, variants, rows, bound, switchPrice };
  });
  return branches.sort((a, b) => b.bound - a.bound);
}

function fewestReplicas(scope: Scope, stage: ScopeStage, rows: number, capacity: number): number {
  return stage.pinnedReplicas ?? Math.max(stage.minReplicas, neededReplicas(scope, rows, capacity));
}

function childOf(search: Search, node: Node, stage: ScopeStage, index: number, branch: Branch): Node | null {
  const { scope, state, rest } = search;
  const { pipeline } = scope.problem;
  const after = rest[index + 1];
  const list = optionsOf(search, stage, index, branch);
  if (!after || list.options.length === 0) {
    state.reject(stage.pinnedReplicas === null ? "maxReplicas" : "utilisation", branch.bound);
    return null;
  }
  const least = plus(node.least, list.least);
  const entries = entriesFor(scope.stepMs, scope.sloMs - least.constantMs);
  const envelope = node.envelope ? convolve(node.envelope, list.envelope, entries) : list.envelope;
  const within = chanceWithin(envelope, scope.stepMs, scope.sloMs - least.constantMs);
  const accuracy = scope.accuracy.most(branch.variants);
  const worth = pipeline.objective.weights.accuracy * accuracy;
  const price = least.price + after.price + branch.switchPrice;
  const isTooWrong = state.slo === "hard" && accuracy < (pipeline.objective.minAccuracy ?? 0) - SLACK;
  const broken = isTooWrong ? "minAccuracy" : brokenBy(scope, state, within, plus(least, after));
  if (broken) {
    state.reject(broken, worth - price);
    return null;
  }
  const isFull = index + 1 === scope.stages.length;
  if (worth * within - price <= state.threshold(isFull ? branch.variants : null)) return null;
  const { variants, rows, switchPrice } = branch;
  return { variants, lists: [...node.lists, list], rows, envelope, least, switchPrice };
}

function optionsOf(search: Search, stage: ScopeStage, index: number, branch: Branch): OptionList {
  const key = `${index}/${branch.variant.name}/${branch.rows}`;
  const known = search.lists.get(key);
  if (known) return known;
  const list = stageOptions(search.scope, stage, branch.variant, branch.rows);
  search.state.spend(EFFORT.option * list.size);
  search.lists.set(key, list);
  return list;
}

function visitCombination(search: Search, node: Node): void {
  const { scope, state } = search;
  const { weights } = scope.problem.pipeline.objective;
  const accuracy = scope.accuracy.of(node.variants);
  const { variants, switchPrice, lists } = node;
  searchReplicas(scope, state, { variants, accuracy, switchPrice, lists });
  if (state.isExhausted()) state.leave(weights.accuracy * accuracy - node.least.price - switchPrice);
}

/** Entry i bounds the stages from i on, with the fewest rows that any variants before them give. */
function restOf(scope: Scope): Totals[] {
  const { weights } = scope.problem.pipeline.objective;
  const rows = fewestRows(scope);
  return sumsFromEnd(
    scope.stages.map((stage, index) => {
      const capacity = Math.max(...stage.variants.map(variant => variant.capacity));
      const replicas = fewestReplicas(scope, stage, rows[index] ?? 0, capacity);
      const batch = Math.min(...stage.variants.flatMap(variant => variant.batches));
      const cores = replicas * stage.stage.cores;
      return {
        cores,
        costPerHour: replicas * (stage.stage.costPerHour ?? 0),
        workCores: ((scope.rateRps / 1000) * (rows[index] ?? 0) * stage.stage.cores) / capacity,
        price: weights.cost * cores + weights.batch * batch,
        constantMs: 0,
      };
    }),
  );
}

function fewestRows(scope: Scope): number[] {
  let rows = 1;
  return scope.stages.map((_, index) => {
    const upstream = scope.stages[index - 1]?.variants.map(variant => variant.name) ?? [null];
    rows = Math.min(MOST_ROWS, rows * Math.min(...upstream.map(variant => fanOutAt(scope, index, variant))));
    return rows;
  });
}
