/** Datatypes of the Open Inference Protocol that a tensor contract may name. */
export const DATATYPES = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
  "BYTES",
] as const;

export type Datatype = (typeof DATATYPES)[number];

/** Bytes of one element. */
export const ELEMENT_BYTES: Readonly<Record<Exclude<Datatype, "BYTES">, number>> = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  BF16: 2,
  FP32: 4,
  FP64: 8,
};

export type TensorData =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

/** Elements row-major. FP16 and BF16 are carried as the bits in a Uint16Array, BOOL as 0 and 1 in a Uint8Array. */
export interface Tensor {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** What a stage expects or gives under one name. The first dimension is the batch and is always -1. */
export interface TensorContract {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

/** What all variants of a stage have in common: models differ inside, never at the edge. */
export interface StageContract {
  readonly inputs: readonly TensorContract[];
  readonly outputs: readonly TensorContract[];
}
