import type { AccuracyMethod } from "../domain/accuracy-method.ts";
import type { Pipeline, Stage } from "../domain/pipeline.ts";
import { membersOf } from "./composite.ts";
import { fittedCombinations } from "./fitted-table.ts";

/** How the accuracy of a prefix of the stages goes on through a stage: slope · before + offset. */
export interface AccuracyStep {
  readonly slope: number;
  readonly offset: number;
}

/**
 * Accuracy of a pipeline's variant combinations: the share of items that are right at the end.
 *
 * - `table`: a combination that was measured counts as it was measured, errors that stages pass on or repair included; any other
 *   as with `markov`, and where at least half of all were measured, times how far those of its variants are from that
 *   (`fitted-table.ts`).
 * - `markov`: A_s = A_{s−1}·a_s + (1 − A_{s−1})·r_s with a_s the variant's accuracy on right inputs and r_s the stage's
 *   `recovery`, never above a_s. Assumes that a stage's errors depend on the stage before it alone, and on that only through
 *   right or wrong. A graph that is no chain is right when all stages are: `recovery` does not count there.
 * - `product`: recovery 0: errors are independent (PAS of IPA, JSys 2024).
 * - `rankSum`: mean over the stages of the variant's rank by accuracy, worst 0 and best 1 (PAS' of IPA's first version, over the
 *   number of stages); a stage whose variants are equally accurate counts 1.
 *
 * A variant without a known accuracy counts as 1: nothing is held against it. Where rows are split over variants the accuracy is the
 * mean over what they are by themselves; the vote of several is in no table, and goes on as with `markov`.
 */
export interface AccuracyModel {
  /** Accuracy of a full combination, one variant name per stage. */
  of(variants: readonly string[]): number;
  /** No combination that starts with `prefix` and goes on with the model's variants is more accurate. */
  most(prefix: readonly string[]): number;
  /** No combination that has this variant in this stage is more accurate. */
  mostWith(stage: number, variant: string): number;
  /** Accuracy before the first stage; with `step` through all stages it is that of a combination that was not measured. */
  readonly start: number;
  step(stage: number, variant: string): AccuracyStep;
  /** Whether a combination that starts with `prefix` was measured and counts. */
  isMeasured(prefix: readonly string[]): boolean;
}

interface Node {
  readonly children: Map<string, Node>;
  most: number;
  measured: number;
}

interface Known {
  readonly stages: readonly Stage[];
  readonly model: AccuracyModel;
}

const models = new WeakMap<Pipeline["accuracy"], Known>();
const others = new WeakMap<Pipeline["accuracy"], Map<AccuracyMethod, Pipeline["accuracy"]>>();

/** The same tables for another method; the same object every time, so that its model is made once. */
export function withMethod(accuracy: Pipeline["accuracy"], method: AccuracyMethod): Pipeline["accuracy"] {
  const byMethod = others.get(accuracy) ?? new Map<AccuracyMethod, Pipeline["accuracy"]>();
  others.set(accuracy, byMethod);
  const other = byMethod.get(method) ?? { ...accuracy, method };
  byMethod.set(method, other);
  return other;
}

/** The model of a pipeline. It is made once for a table and the variants, neither of which ever changes. */
export function accuracyOf(pipeline: Pipeline): AccuracyModel {
  const known = models.get(pipeline.accuracy);
  const { stages } = pipeline;
  const isSame =
    known?.stages.length === stages.length &&
    stages.every((stage, s) => {
      const before = known.stages[s];
      return before?.name === stage.name && before.variants === stage.variants && before.recovery === stage.recovery;
    });
  if (known && isSame) return known.model;
  const model = buildModel(pipeline);
  models.set(pipeline.accuracy, { stages, model });
  return model;
}

/**
 * Whether the accuracy of what serves the stages follows from what was measured, or written in the pipeline file; otherwise it is a bound, as unknown
 * variants count as always right.
 *
 * @param served variant names of each stage.
 */
export function isAccuracyKnown(pipeline: Pipeline, served: readonly (readonly string[])[]): boolean {
  const isKnown = pipeline.stages.every(({ variants }, s) =>
    variants.every(({ name, accuracy }) => accuracy !== null || !served[s]?.includes(name)),
  );
  return isKnown || (served.every(names => names.length === 1) && accuracyOf(pipeline).isMeasured(served.flat()));
}

function buildModel(pipeline: Pipeline): AccuracyModel {
  const steps = pipeline.stages.map(stage => stepsOf(pipeline, stage));
  const root = measuredTree(pipeline, steps);
  const start = pipeline.accuracy.method === "rankSum" ? 0 : 1;
  const after = restAfter(steps);
  const countAfter = productsFromEnd(steps.map(stage => stage.size));
  const splits = pipeline.stages.map(splitsOf);
  const isSplit = splits.some(split => split.size > 0);
  const reached = (variants: readonly string[]) =>
    isSplit ? leaves({ steps, splits }, variants, root, start) : [leaf(steps, variants, root, start)];
  const first = after[0] ?? UNKNOWN;
  const best = steps.map(stage => Math.max(0, ...[...stage.values()].map(({ slope, offset }) => slope + offset)));
  const measured = mostByVariant(root);
  const mostWith = (stage: number, variant: string): number => {
    const parts = splits[stage]?.get(variant);
    if (parts) return parts.reduce((sum, part) => sum + part.share * mostWith(stage, part.name), 0);
    const { slope, offset } = steps[stage]?.get(variant) ?? UNKNOWN;
    const share = start === 1 ? (slope + offset) / Math.max(slope + offset, best[stage] ?? 1) : 1;
    const stepped = (first.slope * start + first.offset) * (first.offset > 0 ? 1 : share);
    return Math.max(measured.get(`${stage}/${variant}`) ?? 0, stepped);
  };
  return {
    mostWith,
    start,
    step: (stage, variant) => steps[stage]?.get(variant) ?? UNKNOWN,
    isMeasured: prefix => root.measured > 0 && reached(prefix).some(({ node }) => node !== undefined),
    of: variants =>
      reached(variants).reduce((sum, { node, share, stepped }) => {
        const isKnown = node !== undefined && root.measured > 0 && variants.length === steps.length;
        return sum + share * (isKnown ? node.most : stepped);
      }, 0),
    most: prefix => {
      const rest = after[prefix.length] ?? UNKNOWN;
      return reached(prefix).reduce((sum, { node, share, stepped }) => {
        const isAll = node !== undefined && node.measured === countAfter[prefix.length];
        return sum + share * (isAll ? node.most : Math.max(node?.most ?? 0, rest.slope * stepped + rest.offset));
      }, 0);
    },
  };
}

/** Variants that rows are split over, by the name of what they are together. */
function splitsOf(stage: Stage): ReadonlyMap<string, readonly Share[]> {
  const composites = stage.variants.filter(variant => membersOf(variant).some(({ share }) => share < 1));
  return new Map(
    composites.map(variant => [
      variant.name,
      membersOf(variant).map(({ variant: member, share }) => ({ name: member.name, share })),
    ]),
  );
}

interface Share {
  readonly name: string;
  readonly share: number;
}

/** Where a share of the items comes to: what was measured of its variants (undefined: nothing), and what they make without that. */
interface Leaf {
  readonly node: Node | undefined;
  readonly share: number;
  readonly stepped: number;
}

interface Steps {
  readonly steps: readonly ReadonlyMap<string, AccuracyStep>[];
  readonly splits: readonly ReadonlyMap<string, readonly Share[]>[];
}

function leaf(steps: Steps["steps"], variants: readonly string[], root: Node, start: number): Leaf {
  let node: Node | undefined = root;
  let stepped = start;
  for (const [s, variant] of variants.entries()) {
    const { slope, offset } = steps[s]?.get(variant) ?? UNKNOWN;
    stepped = slope * stepped + offset;
    node = node?.children.get(variant);
  }
  return { node, share: 1, stepped };
}

/** Items part where rows are split, as long as it matters: where something was measured. */
function leaves({ steps, splits }: Steps, variants: readonly string[], root: Node, start: number): readonly Leaf[] {
  let all: Leaf[] = [{ node: root, share: 1, stepped: start }];
  for (const [s, variant] of variants.entries()) {
    const parts = splits[s]?.get(variant);
    all = all.flatMap(({ node, share, stepped }) =>
      (parts && node ? parts : [{ name: variant, share: 1 }]).map(part => {
        const { slope, offset } = steps[s]?.get(part.name) ?? UNKNOWN;
        return { node: node?.children.get(part.name), share: share * part.share, stepped: slope * stepped + offset };
      }),
    );
  }
  return all;
}

const UNKNOWN: AccuracyStep = { slope: 1, offset: 0 };

function stepsOf({ stages, accuracy: { method } }: Pipeline, stage: Stage): Map<string, AccuracyStep> {
  const isChain = stages.every((other, s) =>
    s === 0 ? other.dependsOn.length === 0 : other.dependsOn.length === 1 && other.dependsOn[0] === stages[s - 1]?.name,
  );
  const recovery = method === "product" || !isChain ? 0 : stage.recovery;
  const alone = stage.variants.filter(variant => membersOf(variant).length === 0);
  const levels = [...new Set(alone.map(variant => variant.accuracy ?? 1))].sort((a, b) => a - b);
  const steps = new Map(
    stage.variants.map(({ name, accuracy }): [string, AccuracyStep] => {
      const own = accuracy ?? 1;
      const recovered = Math.min(own, recovery);
      const rank =
        levels.length > 1
          ? Math.max(
              0,
              levels.findLastIndex(level => level <= own + 1e-12),
            ) /
            (levels.length - 1)
          : 1;
      return [
        name,
        method === "rankSum"
          ? { slope: 1, offset: rank / stages.length }
          : { slope: own - recovered, offset: recovered },
      ];
    }),
  );
  for (const [name, parts] of splitsOf(stage)) {
    const mean = (of: (step: AccuracyStep) => number) =>
      parts.reduce((sum, part) => sum + part.share * of(steps.get(part.name) ?? UNKNOWN), 0);
    steps.set(name, { slope: mean(step => step.slope), offset: mean(step => step.offset) });
  }
  return steps;
}

/** Entry i is never below what the stages from i on make of an accuracy; one entry more than there are stages. */
function restAfter(steps: readonly ReadonlyMap<string, AccuracyStep>[]): AccuracyStep[] {
  const rests = [UNKNOWN];
  for (const stage of steps.toReversed()) {
    const rest = rests.at(-1) ?? UNKNOWN;
    const offset = Math.max(0, ...[...stage.values()].map(step => step.offset));
    // The chord from 0 to 1 of the best step: exact where all offsets, or all slopes, are equal.
    const top = Math.max(offset, ...[...stage.values()].map(step => step.slope + step.offset));
    const own = { slope: top - offset, offset };
    rests.push({ slope: rest.slope * own.slope, offset: rest.slope * own.offset + rest.offset });
  }
  return rests.reverse();
}

/** What was measured, and what follows from that for the rest. */
function measuredTree(pipeline: Pipeline, steps: Steps["steps"]): Node {
  const root: Node = { children: new Map(), most: 0, measured: 0 };
  if (pipeline.accuracy.method !== "table") return root;
  const known = pipeline.stages.map(stage => new Set(stage.variants.map(variant => variant.name)));
  for (const { variants, accuracy } of pipeline.accuracy.combinations) {
    const names = pipeline.stages.map(stage => variants[stage.name]);
    if (!names.every((name, s): name is string => name !== undefined && known[s]?.has(name) === true)) continue;
    if (!descend(root, names)) plant(root, names, accuracy);
  }
  const alone = (names: readonly string[]) => leaf(steps, names, root, 1).stepped;
  for (const { names, accuracy } of fittedCombinations(pipeline, alone)) plant(root, names, accuracy);
  return root;
}

function plant(root: Node, names: readonly string[], accuracy: number): void {
  let node = root;
  for (const name of [undefined, ...names]) {
    if (name !== undefined) node = childOf(node, name);
    node.most = Math.max(node.most, accuracy);
    node.measured++;
  }
}

/** The most accurate combination of the tree that has a variant in a stage, by `stage/variant`. */
function mostByVariant(root: Node): ReadonlyMap<string, number> {
  const most = new Map<string, number>();
  const visit = (node: Node, stage: number): void => {
    for (const [name, child] of node.children) {
      const key = `${stage}/${name}`;
      most.set(key, Math.max(child.most, most.get(key) ?? 0));
      visit(child, stage + 1);
    }
  };
  visit(root, 0);
  return most;
}

function childOf(node: Node, name: string): Node {
  let child = node.children.get(name);
  if (!child) {
    child = { children: new Map(), most: 0, measured: 0 };
    node.children.set(name, child);
  }
  return child;
}

function descend(root: Node, names: readonly string[]): Node | undefined {
  let node: Node | undefined = root;
  for (const name of names) node = node?.children.get(name);
  return node;
}

/** Entry i is the product of the values from i on; one entry more than there are values. */
function productsFromEnd(values: readonly number[]): number[] {
  const products = [1];
  for (const value of values.toReversed()) products.push((products.at(-1) ?? 1) * value);
  return products.reverse();
}
