import { extend, follow, type Label, objectiveOf, optionsOf, rootOf, rowsOf } from "./label.ts";
import { type Bound, boundFrame, mostFrom } from "./label-bound.ts";
import { undominated } from "./label-front.ts";
import { findPrices, type Relaxed } from "./label-prices.ts";
import type { LabelOption, LabelProblem } from "./label-problem.ts";
import { type Shape, shapeOf } from "./label-shape.ts";

export interface LabelResult {
  /** Null: no choice keeps all limits, or none was found. */
  readonly options: readonly LabelOption[] | null;
  readonly objective: number;
  readonly isProven: boolean;
  /** No choice is better than this. */
  readonly upperBound: number;
  /** Labels that were made. */
  readonly labels: number;
  readonly shape: Shape;
  /** At prices at which it is about as low as it gets. */
  readonly relaxed: Relaxed | null;
  /** The best choice before this one with another variant in some stage; null: none was seen. */
  readonly earlier: readonly LabelOption[] | null;
}

/** Labels that one search may look at: some tenths of a second. */
const BUDGET = 3_000_000;
/** Labels that are kept of a stage when a first good choice is looked for. */
const BEAM = 24;
/** Labels that are kept of a stage after the budget is spent. */
const WIDEST = 2_000;
/** Labels of one stage that are kept in memory. */
const MOST_LABELS = 200_000;
/** Bounds this close to the best are not worth another look: rounding. */
const ROUNDING = 1e-12;

/**
 * Exact search by labels, stage after stage: a label is left when its Lagrangian bound is not above the best choice found so far,
 * when it can't keep a limit any more, or when another one with the same key is no worse in price, accuracy, latency and use.
 * A narrow first pass finds a good choice.
 */
export function searchLabels(problem: LabelProblem, budget: number = BUDGET): LabelResult {
  const shape = shapeOf(problem);
  if (shape.loose.some(({ options }) => options.length === 0)) return { ...NOTHING, shape };
  const best: Best = { objective: -Infinity, options: null, earlier: null };
  const relaxed = findPrices(boundFrame(problem, shape.loose), ({ options }) => {
    const label = follow(problem, shape, options);
    if (label) record(best, label);
  });
  const search: Search = { problem, shape, bound: relaxed.bound, best, labels: 0, left: budget, leftBound: -Infinity };
  sweep(search, BEAM);
  search.leftBound = -Infinity;
  if (relaxed.value > worthAbove(best)) sweep(search, Infinity);
  const upperBound = Math.max(best.objective, search.leftBound);
  return {
    options: best.options,
    objective: best.objective,
    isProven: search.leftBound <= best.objective,
    upperBound,
    labels: search.labels,
    shape,
    relaxed,
    earlier: best.earlier,
  };
}

const NOTHING: Omit<LabelResult, "shape"> = {
  options: null,
  objective: -Infinity,
  isProven: true,
  upperBound: -Infinity,
  labels: 0,
  relaxed: null,
  earlier: null,
};

interface Best {
  objective: number;
  options: readonly LabelOption[] | null;
  earlier: readonly LabelOption[] | null;
}

interface Search {
  readonly problem: LabelProblem;
  readonly shape: Shape;
  readonly bound: Bound;
  readonly best: Best;
  labels: number;
  left: number;
  leftBound: number;
}

/** All stages, at most `width` labels each. */
function sweep(search: Search, width: number): void {
  const { problem, shape } = search;
  let layer: Label[] = [rootOf(problem)];
  for (let k = 0; k < problem.stages.length; k++) {
    let next: Label[] = [];
    for (const label of layer) {
      expand(search, k, label, next);
      if (next.length >= MOST_LABELS) next = narrowed(search, undominated(next, shape.front), MOST_LABELS / 2);
    }
    const most = search.left <= 0 ? Math.min(width, WIDEST) : width;
    layer = narrowed(search, undominated(next, shape.front), most);
  }
}

/** The most promising labels; what is left out is remembered by its bound. */
function narrowed(search: Search, labels: Label[], width: number): Label[] {
  if (labels.length <= width) return labels;
  labels.sort((a, b) => b.bound - a.bound);
  search.leftBound = Math.max(search.leftBound, labels[width]?.bound ?? -Infinity);
  return labels.slice(0, width);
}

function expand(search: Search, k: number, label: Label, into: Label[]): void {
  const { problem, shape, bound, best } = search;
  const stage = problem.stages[k];
  if (!stage || label.bound <= best.objective) return;
  const options = shape.rowsVary ? stage.optionsAt(rowsOf(problem, shape, k, label)) : (shape.loose[k]?.options ?? []);
  const share = shape.loose[k]?.pathShare ?? 1;
  const isLast = k + 1 === problem.stages.length;
  const toBeat = worthAbove(best);
  search.left -= options.length;
  for (const option of options) {
    const accuracy = option.slope * label.accuracy + option.offset;
    const price = label.price + option.price;
    const pathMs = label.pathMs + share * option.latencyMs;
    let most = mostFrom(bound, k + 1, accuracy) - price - bound.prices.latency * pathMs + bound.constant;
    if (!(most > toBeat) && label.tabled === null) continue;
    const child = extend(problem, shape, k, label, option);
    if (child === null) continue;
    for (const [r, unit] of bound.prices.uses.entries()) if (unit > 0) most -= unit * (child.uses[r] ?? 0);
    if (child.tabled !== null) most = Math.max(most, tabledBound(search, k, child));
    if (!(most > toBeat)) continue;
    search.labels++;
    child.bound = isLast ? objectiveOf(problem, child) : most;
    if (isLast) record(best, child);
    else into.push(child);
  }
}

function tabledBound({ problem, bound }: Search, k: number, label: Label): number {
  const paid = label.price + bound.prices.latency * label.pathMs + (bound.least[k + 1] ?? 0);
  let most = bound.worth * (problem.table?.most(label.tabled ?? []) ?? 0) - paid + bound.constant;
  for (const [r, unit] of bound.prices.uses.entries()) if (unit > 0) most -= unit * (label.uses[r] ?? 0);
  return most;
}

/** What is not above this is no better than the best: sums differ by rounding. */
function worthAbove({ objective }: Best): number {
  return objective === -Infinity ? objective : objective + ROUNDING * (1 + Math.abs(objective));
}

function record(best: Best, label: Label): void {
  if (label.bound <= best.objective) return;
  const options = optionsOf(label);
  if (best.options?.some(({ variant }, k) => variant !== options[k]?.variant)) best.earlier = best.options;
  best.objective = label.bound;
  best.options = options;
}
