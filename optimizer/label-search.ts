import { type Effort, startEffort } from "./effort.ts";
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
  /** What that took, in microseconds as it is counted. */
  readonly effort: number;
  readonly shape: Shape;
  /** At prices at which it is about as low as it gets. */
  readonly relaxed: Relaxed | null;
  /** The best choice before this one with another variant in some stage; null: none was seen. */
  readonly earlier: readonly LabelOption[] | null;
}

/** Effort that one search may take without a deadline, in microseconds as EFFORT counts them. */
export const LABEL_BUDGET = 500_000;
/** About how long things take, in microseconds: the search is bounded by work done, so that its result is reproducible. */
const EFFORT = { option: 0.04, label: 0.9, compared: 0.06 };
/** Labels that are kept of a stage at first, whatever the budget: some hundredths of a second. */
const BEAM = 24;
/** How many times as many the next time. */
const WIDER = 4;
/** Labels of one stage that are kept in memory. */
const MOST_LABELS = 200_000;
/** Bounds this close to the best are not worth another look: rounding. */
const ROUNDING = 1e-12;

/**
 * Exact search by labels, stage after stage: a label is left when its Lagrangian bound is not above the best choice found so far,
 * when it can't keep a limit any more, or when another one with the same key is no worse in price, accuracy, latency and use.
 * A narrow first pass finds a good choice, wider ones better ones; one that leaves nothing out but for these reasons proves the best.
 */
export function searchLabels(problem: LabelProblem, effort: Effort = startEffort(LABEL_BUDGET)): LabelResult {
  const shape = shapeOf(problem);
  if (shape.loose.some(({ options }) => options.length === 0)) return { ...NOTHING, shape };
  const best: Best = { objective: -Infinity, options: null, earlier: null };
  const relaxed = findPrices(boundFrame(problem, shape.loose), ({ options }) => {
    const label = follow(problem, shape, options);
    if (label) record(best, label);
  });
  const search: Search = { problem, shape, bound: relaxed.bound, best, labels: 0, effort, leftBound: -Infinity };
  let bound = relaxed.value;
  for (let width = BEAM; width === BEAM || bound > worthAbove(best); width *= WIDER) {
    const before = best.objective;
    search.leftBound = -Infinity;
    if (!sweep(search, width)) break;
    bound = Math.min(bound, search.leftBound);
    // No more labels are kept in memory: the next sweep would be this one again.
    if (width > MOST_LABELS && best.objective === before) break;
  }
  return {
    options: best.options,
    objective: best.objective,
    isProven: bound <= worthAbove(best),
    upperBound: Math.max(best.objective, bound),
    labels: search.labels,
    effort: effort.spent(),
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
  effort: 0,
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
  readonly effort: Effort;
  leftBound: number;
}

/** All stages, at most `width` labels each; false: the budget ended it. */
function sweep(search: Search, width: number): boolean {
  const { problem } = search;
  let layer: Label[] = [rootOf(problem)];
  for (let k = 0; k < problem.stages.length; k++) {
    let next: Label[] = [];
    for (const label of layer) {
      if (width > BEAM && search.effort.isSpent(comparing(search, next))) return false;
      expand(search, k, label, next);
      if (next.length >= MOST_LABELS) next = narrowed(search, compared(search, next), MOST_LABELS / 2);
    }
    layer = narrowed(search, compared(search, next), width);
  }
  return true;
}

function compared(search: Search, labels: readonly Label[]): Label[] {
  search.effort.spend(comparing(search, labels));
  return undominated(labels, search.shape.front);
}

/** Effort that it takes to compare labels. */
function comparing({ shape }: Search, { length }: readonly Label[]): number {
  const { uses, isChain } = shape.front;
  return EFFORT.compared * length * Math.log2(1 + length) * (isChain ? 1 + uses : 3 + uses);
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
  search.effort.spend(EFFORT.option * options.length);
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
    search.effort.spend(EFFORT.label);
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
