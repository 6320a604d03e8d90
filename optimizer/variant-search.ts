import { brokenBy } from "./combination.ts";
import { type Deadline, startEffort } from "./effort.ts";
import { fromZero, graphWithin } from "./graph-latency.ts";
import { highest, searchGraph } from "./graph-search.ts";
import { leastFrom, leastReplicas } from "./least-totals.ts";
import { fewestReplicas } from "./replica-counts.ts";
import { searchReplicas } from "./replica-search.ts";
import { replicasPrice, rowsAt, type Scope, type ScopeStage } from "./scope.ts";
import type { ScopeVariant } from "./scope-variant.ts";
import { EFFORT, type SearchResult, type SearchState, startSearch } from "./search-state.ts";
import { type OptionList, stageOptions, type Wanted } from "./stage-options.ts";
import { NOTHING, plus, SLACK, type Totals } from "./totals.ts";
import { type Cumulative, chanceWithin, convolve, entriesFor } from "./wait-distribution.ts";

/** Effort that one search may take without a deadline: some tenths of a second. */
const BUDGET = 150_000;

interface Node {
  readonly variants: readonly string[];
  readonly lists: readonly OptionList[];
  /** Rows of one request at every stage so far. */
  readonly rows: readonly number[];
  /** Of a chain: all stages together; of a graph: by stage, from `fromZero`. */
  readonly envelope: Cumulative | null;
  readonly envelopes: readonly Cumulative[];
  /** The least that any choice of batches and replicas takes. */
  readonly least: Totals;
  readonly switchPrice: number;
}

/**
 * Depth-first branch and bound over the variants of the stages, most promising first. A partial combination is left when even
 * its bound (the most accurate completion, the cheapest options of all stages, the envelope of their latencies) is not above
 * what was found, or breaks a constraint. Every full combination gets its batches and replicas from `searchReplicas`.
 */
export function searchVariants(scope: Scope, slo: "hard" | "soft", deadline: Deadline | null): SearchResult {
  const state = startSearch(slo, startEffort(BUDGET, deadline), scope.problem.runnerUp !== false);
  const search = { scope, state, rest: leastFrom(scope), lists: new Map<string, OptionList>() };
  visit(search, {
    variants: [],
    lists: [],
    rows: [],
    envelope: null,
    envelopes: [],
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
  readonly rows: readonly number[];
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
  const rowsHere = rowsAt(scope, index, node.rows, node.variants);
  const rows = [...node.rows, rowsHere];
  const branches = stage.variants.map(variant => {
    const variants = [...node.variants, variant.name];
    const replicas = leastReplicas(scope, stage, rowsHere, variant.capacity);
    const price = replicasPrice(scope, stage, variant, replicas) + weights.batch * Math.min(...variant.batches);
    const isSwitch = stage.currentVariant !== null && stage.currentVariant !== variant.main;
    const switchPrice = node.switchPrice + (isSwitch ? weights.switch : 0);
    const bound = weights.accuracy * scope.accuracy.most(variants) - node.least.price - price - after - switchPrice;
    return { variant, variants, rows, bound, switchPrice };
  });
  return branches.sort((a, b) => b.bound - a.bound);
}

function childOf(search: Search, node: Node, stage: ScopeStage, index: number, branch: Branch): Node | null {
  const { scope, state, rest } = search;
  const { pipeline } = scope.problem;
  const after = rest[index + 1];
  const list = optionsOf(search, stage, index, branch);
  if (list.leftBound > Number.NEGATIVE_INFINITY)
    state.leave(list.leftBound - node.least.price - (after?.price ?? 0) - branch.switchPrice);
  if (!after || list.options.length === 0) {
    // Options that take more than they could be worth are no sign of a limit.
    const isShort = fewestReplicas(scope, stage, branch.rows[index] ?? 0, branch.variant.capacity) === null;
    if (isShort) state.reject(stage.pinnedReplicas === null ? "maxReplicas" : "utilisation", branch.bound);
    return null;
  }
  const least = plus(node.least, list.least);
  const { envelope, envelopes, within } = joined(scope, node, list, least.constantMs);
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
  return { variants, lists: [...node.lists, list], rows, envelope, envelopes, least, switchPrice };
}

/** The envelope of what is chosen and one stage more, and the most that can be within the SLO. */
function joined(
  scope: Scope,
  node: Node,
  list: OptionList,
  constantMs: number,
): Pick<Node, "envelope" | "envelopes"> & { readonly within: number } {
  if (!scope.isChain) {
    const own = highest(list.options.map(option => fromZero(option, scope.stepMs)));
    const envelopes = [...node.envelopes, own];
    return { envelope: null, envelopes, within: graphWithin(scope, envelopes) };
  }
  const leftMs = scope.sloMs - constantMs;
  const envelope = node.envelope
    ? convolve(node.envelope, list.envelope, entriesFor(scope.stepMs, leftMs))
    : list.envelope;
  return { envelope, envelopes: [], within: chanceWithin(envelope, scope.stepMs, leftMs) };
}

function optionsOf(search: Search, stage: ScopeStage, index: number, branch: Branch): OptionList {
  const rows = branch.rows[index] ?? 0;
  const key = `${index}/${branch.variant.name}/${rows}`;
  const known = search.lists.get(key);
  if (known) return known;
  const list = stageOptions(search.scope, stage, branch.variant, rows, wantedOf(search, index, branch.variant));
  search.state.spend(EFFORT.option * list.size);
  search.lists.set(key, list);
  return list;
}

/** What an option may take so that some plan with it can still change the result, and may be worth. */
function wantedOf({ scope, state, rest }: Search, index: number, variant: ScopeVariant): Wanted {
  const worth = scope.problem.pipeline.objective.weights.accuracy * scope.accuracy.mostWith(index, variant.name);
  const others = (rest[0]?.price ?? 0) - (rest[index]?.price ?? 0) + (rest[index + 1]?.price ?? 0);
  return { mostPrice: worth - others - state.threshold(null) + ROUNDING, worth };
}

/** Sums of prices in different orders differ by less. */
const ROUNDING = 1e-9;

function visitCombination(given: Search, node: Node): void {
  const { scope, state } = given;
  const { weights } = scope.problem.pipeline.objective;
  const accuracy = scope.accuracy.of(node.variants);
  const { variants, switchPrice, lists } = node;
  const search = scope.isChain ? searchReplicas : searchGraph;
  search(scope, state, { variants, accuracy, switchPrice, lists });
  if (state.isExhausted()) state.leave(weights.accuracy * accuracy - node.least.price - switchPrice);
}
