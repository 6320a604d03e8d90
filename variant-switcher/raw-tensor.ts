import type { Datatype } from "../domain/tensor.ts";
import { bytesPerElement, elementCount } from "../runtime/tensor-data.ts";
import { countBytesElements, sliceBytesElements } from "./bytes-elements.ts";

/** A tensor as it travels: elements little-endian and row-major, those of BYTES with their lengths; the first dimension counts rows. */
export interface RawTensor {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface NamedTensor extends RawTensor {
  readonly name: string;
}

/** Says why the bytes are not as many elements as the shape has; null: they are. Throws `invalid_argument` where an element of BYTES is cut off. */
export function findSizeProblem({ datatype, shape, bytes }: RawTensor): string | null {
  const elements = elementCount(shape);
  const isText = datatype === "BYTES";
  const found = isText ? countBytesElements(bytes) : bytes.length;
  const wanted = isText ? elements : elements * bytesPerElement(datatype);
  const unit = isText ? "elements" : "bytes";
  return found === wanted ? null : `has ${found} ${unit}, ${datatype} of the shape [${shape}] has ${wanted}`;
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
