import { VariscaleError } from "../domain/errors.ts";
import {
  ELEMENT,
  type Integer64,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from "./onnx.ts";

/** A pure step from one model to the next. */
export type ModelEdit = (model: OnnxModel) => OnnxModel;

/** One edit after the other. */
export function applyEdits(model: OnnxModel, edits: readonly ModelEdit[]): OnnxModel {
  return edits.reduce((edited, edit) => edit(edited), model);
}

/** The same model with another graph. Shapes noted for values inside it no longer hold and are dropped. */
export function withGraph(model: OnnxModel, changes: Partial<OnnxGraph>): OnnxModel {
  const { valueInfo: _, ...graph } = model.graph;
  return { ...model, graph: { ...graph, ...changes } };
}

/** A 64-bit integer of the file as a number. */
export function toNumber(value: Integer64): number {
  return typeof value === "number" ? value : value.toNumber();
}

/** Version of the default domain's operators. */
export function opsetOf(model: OnnxModel): number {
  const version = model.opsetImport?.find(({ domain }) => !domain)?.version;
  return version === undefined ? 1 : toNumber(version);
}

/** An operator of the default domain. */
export function node(
  opType: string,
  input: readonly string[],
  output: string,
  attribute: readonly OnnxAttribute[] = [],
): OnnxNode {
  return { input, output: [output], name: `${output}_${opType}`, opType, attribute };
}

/** An attribute that is a whole number. */
export function integer(name: string, i: number): OnnxAttribute {
  return { name, i, type: 2 };
}

/** An attribute that is a list of whole numbers. */
export function integers(name: string, ints: readonly number[]): OnnxAttribute {
  return { name, ints, type: 7 };
}

/** An attribute that is a text. */
export function text(name: string, value: string): OnnxAttribute {
  return { name, s: Buffer.from(value, "utf8"), type: 3 };
}

/** A constant of 32-bit floats. */
export function floatTensor(name: string, dims: readonly number[], values: readonly number[]): OnnxTensor {
  const rawData = new Uint8Array(4 * values.length);
  const view = new DataView(rawData.buffer);
  for (const [index, value] of values.entries()) view.setFloat32(4 * index, value, true);
  return { dims, dataType: ELEMENT.float, name, rawData };
}

/** A constant list of 64-bit integers. */
export function integerTensor(name: string, values: readonly number[]): OnnxTensor {
  const rawData = new Uint8Array(8 * values.length);
  const view = new DataView(rawData.buffer);
  for (const [index, value] of values.entries()) view.setBigInt64(8 * index, BigInt(value), true);
  return { dims: [values.length], dataType: ELEMENT.int64, name, rawData };
}

/**
 * The scale by which Resize makes `to` pixels of `from`. It is stored in 32 bits and the product is rounded down, so a
 * quotient that was stored a hair too small would lose a pixel: then the next larger one is taken.
 */
export function resizeScale(from: number, to: number): number {
  const scale = Math.fround(to / from);
  return scale * from >= to ? scale : Math.fround(scale * (1 + 2 ** -23));
}

/** The declaration of a graph's input or output; -1 stands for the batch. */
export function valueInfo(name: string, elemType: number, shape: readonly number[]): OnnxValueInfo {
  const dim = shape.map(size => (size === -1 ? { dimParam: "batch" } : { dimValue: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

/** Nodes in a row: each takes first what the one before it gives, the first one `value`. */
export interface NodeChain {
  readonly nodes: readonly OnnxNode[];
  add(opType: string, inputs: readonly string[], attributes: OnnxNode["attribute"], output: string): void;
}

export function chainFrom(value: string): NodeChain {
  const nodes: OnnxNode[] = [];
  let last = value;
  return {
    nodes,
    add: (opType, inputs, attributes, output) => {
      nodes.push(node(opType, [last, ...inputs], output, attributes));
      last = output;
    },
  };
}

/**
 * The name of the graph's one input or output.
 * @throws VariscaleError `invalid_argument` where there are several.
 */
export function onlyName(values: readonly OnnxValueInfo[], what: "input" | "output"): string {
  const [first, second] = values;
  if (!first?.name || second) {
    const names = values.map(value => value.name ?? "?").join(", ");
    throw new VariscaleError("invalid_argument", `this edit takes a model with one ${what}, this one has: ${names}`);
  }
  return first.name;
}
