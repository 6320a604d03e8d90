import { readFileSync } from "node:fs";
import protobuf from "protobufjs";
import { VariscaleError } from "../domain/errors.ts";

/** A 64-bit integer as it comes out of a file; plain numbers may be written. */
export type Integer64 = number | { toNumber(): number };

/** Element types of ONNX tensors that edits name, by their number in the format. */
export const ELEMENT = { float: 1, uint8: 2, int64: 7 } as const;

export interface OnnxTensor {
  readonly name?: string;
  readonly dims?: readonly Integer64[];
  readonly dataType?: number;
  readonly rawData?: Uint8Array;
  readonly floatData?: readonly number[];
  readonly externalData?: readonly Uint8Array[];
}

export interface OnnxAttribute {
  readonly name?: string;
  readonly type?: number;
  readonly f?: number;
  readonly i?: Integer64;
  readonly s?: Uint8Array;
  readonly t?: OnnxTensor;
  readonly floats?: readonly number[];
  readonly ints?: readonly Integer64[];
}

export interface OnnxNode {
  readonly name?: string;
  readonly opType?: string;
  readonly domain?: string;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly attribute?: readonly OnnxAttribute[];
}

export interface OnnxDimension {
  readonly dimValue?: Integer64;
  readonly dimParam?: string;
}

/** A graph's input or output. */
export interface OnnxValueInfo {
  readonly name?: string;
  readonly type?: {
    readonly tensorType?: { readonly elemType?: number; readonly shape?: { readonly dim?: readonly OnnxDimension[] } };
  };
}

export interface OnnxGraph {
  readonly name?: string;
  readonly node: readonly OnnxNode[];
  readonly initializer?: readonly OnnxTensor[];
  readonly input: readonly OnnxValueInfo[];
  readonly output: readonly OnnxValueInfo[];
  readonly valueInfo?: readonly OnnxValueInfo[];
}

/** A model as its file holds it; what edits don't look into is carried along unseen. */
export interface OnnxModel {
  readonly irVersion?: Integer64;
  readonly producerName?: string;
  readonly opsetImport?: readonly { readonly domain?: string; readonly version?: Integer64 }[];
  readonly graph: OnnxGraph;
}

const schema = protobuf.parse(readFileSync(new URL("./onnx.proto", import.meta.url), "utf8")).root;
const modelType = schema.lookupType("onnx.ModelProto");

/**
 * Reads an ONNX file.
 * @throws VariscaleError `invalid_argument` for bytes that are no whole ONNX model with a graph.
 */
export function decodeModel(bytes: Uint8Array, name: string): OnnxModel {
  const advice = "fetch the file again, or check that it is an ONNX model";
  let message: unknown;
  try {
    message = modelType.decode(bytes);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new VariscaleError("invalid_argument", `${name} is no ONNX model or is cut short (${what}): ${advice}`, {
      cause,
    });
  }
  const model = message as Partial<OnnxModel>;
  const { graph } = model;
  if (!model.opsetImport?.length) {
    throw new VariscaleError("invalid_argument", `${name} names no operator set, it may be cut short: ${advice}`);
  }
  if (!graph || graph.node.length === 0 || graph.input.length === 0 || graph.output.length === 0) {
    throw new VariscaleError("invalid_argument", `${name} holds no graph with inputs and outputs: ${advice}`);
  }
  return { ...model, graph };
}

/** Writes an ONNX file; the same model always gives the same bytes. */
export function encodeModel(model: OnnxModel): Uint8Array {
  return modelType.encode({ ...model }).finish();
}
