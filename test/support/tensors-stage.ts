import { DATATYPES, type Datatype, type StageContract } from "../../domain/tensor.ts";
import { encodeModel, type ValueSpec } from "./onnx-model.ts";

/** What onnxruntime's binding takes: everything but BF16. */
export const SERVED = DATATYPES.filter(datatype => datatype !== "BF16") as Exclude<Datatype, "BF16">[];

/** Of every datatype an input `x_DATATYPE` and an output `y_DATATYPE`, two elements a row. */
export const TENSORS_CONTRACT: StageContract = {
  inputs: SERVED.map(datatype => ({ name: `x_${datatype}`, datatype, shape: [-1, 2] })),
  outputs: SERVED.map(datatype => ({ name: `y_${datatype}`, datatype, shape: [-1, 2] })),
};

/** Gives every input back as it came. */
export function tensorsModel(datatypes: readonly (typeof SERVED)[number][] = SERVED): Buffer {
  const values = (prefix: string) =>
    datatypes.map((type): ValueSpec => ({ name: `${prefix}_${type}`, type, shape: ["rows", 2] }));
  return encodeModel({
    inputs: values("x"),
    outputs: values("y"),
    nodes: datatypes.map(type => ({ op: "Identity", inputs: [`x_${type}`], outputs: [`y_${type}`] })),
    weights: {},
  });
}
