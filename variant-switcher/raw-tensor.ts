import type { Datatype } from "../domain/tensor.ts";

/** The datatypes whose elements have a fixed size: all but BYTES, which a switcher does not serve. */
export type FixedDatatype = Exclude<Datatype, "BYTES">;

export const BYTES_PER_ELEMENT: Readonly<Record<FixedDatatype, number>> = {
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
  FP32: 4,
  FP64: 8,
};

/** A tensor as it travels: elements little-endian and row-major; the first dimension counts rows. */
export interface RawTensor {
  readonly datatype: FixedDatatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function isFixedDatatype(datatype: string): datatype is FixedDatatype {
  return Object.hasOwn(BYTES_PER_ELEMENT, datatype);
}

/** Elements of a tensor of this shape; NaN or beyond 2^53 when the dimensions make no sense. */
export function elementsOf(shape: readonly number[]): number {
  let elements = 1;
  for (const dimension of shape) elements *= dimension;
  return elements;
}

/** A view of the rows [from, to). */
export function sliceRows(tensor: RawTensor, from: number, to: number): Uint8Array {
  const rows = tensor.shape[0] ?? 1;
  if (from === 0 && to === rows) return tensor.bytes;
  const rowBytes = tensor.bytes.length / rows;
  return tensor.bytes.subarray(from * rowBytes, to * rowBytes);
}
