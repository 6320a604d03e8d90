import { VariscaleError } from "../domain/errors.ts";
import { integer, integers, type ModelEdit, node, onlyName, toNumber, valueInfo, withGraph } from "./graph.ts";
import { ELEMENT, type OnnxTensor } from "./onnx.ts";

/**
 * Keeps only some classes of a sequence classifier, in the order given: rows and columns of the last layer's constants
 * are picked, so the layer gets cheaper, and the softmax is over the kept classes only.
 */
export function keepClasses(kept: readonly number[], count: number): ModelEdit {
  return model => {
    let picked = 0;
    const pick = (tensor: OnnxTensor): OnnxTensor => {
      const dims = (tensor.dims ?? []).map(toNumber);
      if (dims.at(-1) !== count || dims.length > 2) return tensor;
      picked++;
      return pickColumns(tensor, dims, kept);
    };
    const nodes = model.graph.node.map(step =>
      step.opType === "Constant"
        ? { ...step, attribute: (step.attribute ?? []).map(attr => (attr.t ? { ...attr, t: pick(attr.t) } : attr)) }
        : step,
    );
    const initializer = (model.graph.initializer ?? []).map(pick);
    if (picked === 0) {
      throw new VariscaleError(
        "invalid_argument",
        `no constant of the model has ${count} columns, so its classes can't be picked: check the class count`,
      );
    }
    return withGraph(model, { node: nodes, initializer });
  };
}

/** The columns `kept` of a matrix or vector of floats. */
function pickColumns(tensor: OnnxTensor, dims: readonly number[], kept: readonly number[]): OnnxTensor {
  const columns = dims.at(-1) ?? 0;
  const rows = dims.length === 2 ? (dims[0] ?? 0) : 1;
  const from = tensor.rawData;
  if (tensor.dataType !== ELEMENT.float || from?.length !== 4 * rows * columns) {
    throw new VariscaleError(
      "invalid_argument",
      `constant ${tensor.name ?? "?"} is not stored as ${rows} × ${columns} raw floats: only such layers can be cut`,
    );
  }
  const rawData = new Uint8Array(4 * rows * kept.length);
  for (let row = 0; row < rows; row++) {
    for (const [to, column] of kept.entries()) {
      const start = 4 * (row * columns + column);
      rawData.set(from.subarray(start, start + 4), 4 * (row * kept.length + to));
    }
  }
  return { ...tensor, dims: dims.length === 2 ? [rows, kept.length] : [kept.length], rawData };
}

/** Turns the one output, float [batch, steps, classes], into the likeliest class of each step and its probability. */
export function giveClasses(
  names: { readonly classes: string; readonly confidence: string },
  steps: number,
): ModelEdit {
  return model => {
    const scores = onlyName(model.graph.output, "output");
    const nodes = [
      node("ArgMax", [scores], `${names.classes}_int64`, [integer("axis", 2), integer("keepdims", 0)]),
      node("Cast", [`${names.classes}_int64`], names.classes, [integer("to", ELEMENT.uint8)]),
      node("ReduceMax", [scores], names.confidence, [integers("axes", [2]), integer("keepdims", 0)]),
    ];
    return withGraph(model, {
      node: [...model.graph.node, ...nodes],
      output: [
        valueInfo(names.classes, ELEMENT.uint8, [-1, steps]),
        valueInfo(names.confidence, ELEMENT.float, [-1, steps]),
      ],
    });
  };
}
