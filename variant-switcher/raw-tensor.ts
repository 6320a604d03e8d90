import type { Datatype } from "../domain/tensor.ts";
import { sliceBytesElements } from "./bytes-elements.ts";

/** A tensor as it travels: elements little-endian and row-major, those of BYTES with their lengths; the first dimension counts rows. */
export interface RawTensor {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface NamedTensor extends RawTensor {
  readonly name: string;
}

/** A view of the rows [from, to). */
export function sliceRows(tensor: RawTensor, from: number, to: number): Uint8Array {
  const rows = tensor.shape[0] ?? 1;
  if (from === 0 && to === rows) return tensor.bytes;
  if (tensor.datatype === "BYTES") {
    const perRow = tensor.shape.slice(1).reduce((product, dimension) => product * dimension, 1);
    return sliceBytesElements(tensor.bytes, from * perRow, to * perRow);
  }
  const rowBytes = tensor.bytes.length / rows;
  return tensor.bytes.subarray(from * rowBytes, to * rowBytes);
}
