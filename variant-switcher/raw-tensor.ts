import { DATATYPES, type Datatype } from "../domain/tensor.ts";

/** The datatypes whose elements have a fixed size: all but BYTES, which a switcher does not serve. */
export type FixedDatatype = Exclude<Datatype, "BYTES">;

/** A tensor as it travels: elements little-endian and row-major; the first dimension counts rows. */
export interface RawTensor {
  readonly datatype: FixedDatatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function isFixedDatatype(datatype: string): datatype is FixedDatatype {
  return datatype !== "BYTES" && DATATYPES.some(known => known === datatype);
}

/** A view of the rows [from, to). */
export function sliceRows(tensor: RawTensor, from: number, to: number): Uint8Array {
  const rows = tensor.shape[0] ?? 1;
  if (from === 0 && to === rows) return tensor.bytes;
  const rowBytes = tensor.bytes.length / rows;
  return tensor.bytes.subarray(from * rowBytes, to * rowBytes);
}
