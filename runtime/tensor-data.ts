import { endianness } from "node:os";
import { VariscaleError } from "../domain/errors.ts";
import { type Datatype, ELEMENT_BYTES, type TensorData } from "../domain/tensor.ts";

interface ElementArray {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): TensorData;
}

/** BYTES has no fixed element size and is not carried. */
const ARRAYS: Readonly<Record<Exclude<Datatype, "BYTES">, ElementArray>> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

// The binary tensor extension is little-endian; typed arrays have the machine's order.
if (endianness() !== "LE") {
  throw new VariscaleError("failed_precondition", "this machine is big-endian. Run variscale on a little-endian one.");
}

/** @throws invalid_argument for BYTES. */
export function bytesPerElement(datatype: Datatype): number {
  if (datatype === "BYTES") throw noFixedSize();
  return ELEMENT_BYTES[datatype];
}

/** The elements in `bytes`: a view where they are aligned, a copy where they are not. */
export function elementsOf(datatype: Datatype, bytes: Uint8Array): TensorData {
  const array = arrayOf(datatype);
  const length = bytes.byteLength / array.BYTES_PER_ELEMENT;
  const aligned = bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new array(aligned.buffer, aligned.byteOffset, length);
}

/** Gives the elements as numbers. Integers of 64 bits lose the digits that a double has no room for. */
export function readNumbers(datatype: Datatype, data: TensorData): Float64Array {
  if (datatype === "FP16") return Float64Array.from(data as Uint16Array, readHalf);
  if (datatype === "BF16") return Float64Array.from(data as Uint16Array, readBrain);
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

/** The bytes of `data`, not copied. */
export function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Whether `data` is of the kind of array that carries `datatype`. */
export function carries(datatype: Datatype, data: unknown): boolean {
  return datatype !== "BYTES" && data instanceof ARRAYS[datatype];
}

/** Elements of a tensor of this shape; dimensions must be known. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

/** Gives the number that 16 bits of IEEE 754 binary16 are: sign, 5 of exponent, 10 of fraction. */
function readHalf(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 2 ** 10) * 2 ** (exponent - 15);
}

/** Gives the number that 16 bits of bfloat16 are: the upper half of an IEEE 754 binary32. */
function readBrain(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}

function arrayOf(datatype: Datatype): ElementArray {
  if (datatype === "BYTES") throw noFixedSize();
  return ARRAYS[datatype];
}

function noFixedSize(): VariscaleError {
  return new VariscaleError("invalid_argument", "tensors of BYTES are not supported. Use UINT8 with a fixed length.");
}
