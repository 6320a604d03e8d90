import type { Pipeline, Stage } from "../domain/pipeline.ts";

/**
 * Accuracy of a pipeline's variant combinations: the share of items that are right at the end. A measured combination counts
 * as it was measured, errors that stages pass on or repair included. Where it was not measured: the product of the variants'
 * accuracies, which takes the stages' errors as independent; a variant without a known accuracy counts as 1 there, because
 * nothing is held against it. Source: research on pipeline accuracy (exact table; PAS of IPA, JSys 2024, as the fallback).
 */
export interface AccuracyModel {
  /** Accuracy of a full combination, one variant name per stage. */
  of(variants: readonly string[]): number;
  /** No combination that starts with `prefix` and goes on with the model's variants is more accurate. */
  most(prefix: readonly string[]): number;
}

interface Node {
  readonly children: Map<string, Node>;
  most: number;
  measured: number;
}

interface Known {
  readonly stages: readonly { readonly name: string; readonly variants: Stage["variants"] }[];
  readonly model: AccuracyModel;
}

const models = new WeakMap<Pipeline["accuracy"], Known>();

/** The model of a pipeline. It is made once for a table and the variants, neither of which ever changes. */
export function accuracyOf(pipeline: Pipeline): AccuracyModel {
  const known = models.get(pipeline.accuracy);
  const { stages } = pipeline;
  const isSame =
    known?.stages.length === stages.length &&
    stages.every(({ name, variants }, s) => known.stages[s]?.name === name && known.stages[s]?.variants === variants);
  if (known && isSame) return known.model;
  const model = buildModel(pipeline);
  models.set(pipeline.accuracy, { stages, model });
  return model;
}

function buildModel(pipeline: Pipeline): AccuracyModel {
  const root = measuredTree(pipeline);
  const alone = pipeline.stages.map(stage => new Map(stage.variants.map(v => [v.name, v.accuracy ?? 1])));
  const mostAfter = productsFromEnd(alone.map(stage => Math.max(0, ...stage.values())));
  const countAfter = productsFromEnd(alone.map(stage => stage.size));
  const product = (variants: readonly string[]) =>
    variants.reduce((value, variant, s) => value * (alone[s]?.get(variant) ?? 1), 1);
  return {
    of: variants => {
      const node = descend(root, variants);
      return node && variants.length === alone.length ? node.most : product(variants);
    },
    most: prefix => {
      const node = descend(root, prefix);
      if (node && node.measured === countAfter[prefix.length]) return node.most;
      return Math.max(node?.most ?? 0, product(prefix) * (mostAfter[prefix.length] ?? 1));
    },
  };
}

function measuredTree(pipeline: Pipeline): Node {
  const root: Node = { children: new Map(), most: 0, measured: 0 };
  if (pipeline.accuracy.method === "product") return root;
  const known = pipeline.stages.map(stage => new Set(stage.variants.map(variant => variant.name)));
  for (const { variants, accuracy } of pipeline.accuracy.combinations) {
    const names = pipeline.stages.map(stage => variants[stage.name]);
    if (!names.every((name, s): name is string => name !== undefined && known[s]?.has(name) === true)) continue;
    if (descend(root, names)) continue;
    let node = root;
    for (const name of [undefined, ...names]) {
      if (name !== undefined) node = childOf(node, name);
      node.most = Math.max(node.most, accuracy);
      node.measured++;
    }
  }
  return root;
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
