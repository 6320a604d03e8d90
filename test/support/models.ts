import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StageContract } from "../../domain/tensor.ts";
import { encodeModel } from "./onnx-model.ts";

/** The contract that affineModel() keeps. */
export const AFFINE_CONTRACT: StageContract = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
};

/** y = scale · x + offset, element by element: cheap, and its outputs tell which variant made them. */
export function affineModel(scale: number, offset: number): Buffer {
  return encodeModel({
    inputs: [{ name: "x", type: "FP32", shape: ["rows", 2] }],
    outputs: [{ name: "y", type: "FP32", shape: ["rows", 2] }],
    nodes: [
      { op: "Mul", inputs: ["x", "scale"], outputs: ["scaled"] },
      { op: "Add", inputs: ["scaled", "offset"], outputs: ["y"] },
    ],
    weights: { scale: { shape: [1], values: [scale] }, offset: { shape: [1], values: [offset] } },
  });
}

/** The contract that imageModel() keeps; an input row has 46,080 bytes. */
export const IMAGE_CONTRACT: StageContract = {
  inputs: [{ name: "image", datatype: "UINT8", shape: [-1, 240, 192] }],
  outputs: [{ name: "score", datatype: "FP32", shape: [-1, 2] }],
};

/**
 * The score is `offset` plus the input's mean, after `layers` multiplications by a 192 × 192 identity matrix that cost what any
 * other matrix would: about a tenth of a millisecond per layer and row on one core.
 */
export function imageModel(layers: number, offset: number): Buffer {
  const products = Array.from({ length: layers }, (_, layer) => ({
    op: "MatMul",
    inputs: [`layer${layer}`, "identity"],
    outputs: [`layer${layer + 1}`],
  }));
  return encodeModel({
    inputs: [{ name: "image", type: "UINT8", shape: ["rows", 240, 192] }],
    outputs: [{ name: "score", type: "FP32", shape: ["rows", 2] }],
    nodes: [
      { op: "Cast", inputs: ["image"], outputs: ["layer0"], attributes: { to: 1 } },
      ...products,
      { op: "ReduceMean", inputs: [`layer${layers}`], outputs: ["mean"], attributes: { axes: [1, 2], keepdims: 1 } },
      { op: "Flatten", inputs: ["mean"], outputs: ["column"], attributes: { axis: 1 } },
      { op: "Add", inputs: ["column", "offset"], outputs: ["score"] },
    ],
    weights: {
      identity: { shape: [192, 192], values: Array.from({ length: 192 * 192 }, (_, i) => (i % 193 === 0 ? 1 : 0)) },
      offset: { shape: [1, 2], values: [offset, offset] },
    },
  });
}

/** Writes a model into a folder and gives what a variant says about it. */
export function writeModel(
  folder: string,
  name: string,
  model: Buffer,
): { name: string; model: string; sha256: string } {
  mkdirSync(folder, { recursive: true });
  const file = `${name}.onnx`;
  writeFileSync(join(folder, file), model);
  return { name, model: file, sha256: createHash("sha256").update(model).digest("hex") };
}
