import { VariscaleError } from "../domain/errors.ts";
import { bytesPerElement } from "../runtime/tensor-data.ts";
import type { NamedTensor, RawTensor } from "./raw-tensor.ts";

/** Inputs with known outputs of one variant: what a model must reproduce before it serves. */
export interface GoldenCase {
  readonly variant: string;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
  /** Largest difference of one element, absolute or relative to the expected value. */
  readonly tolerance: number;
}

/** How far outputs are from what is expected; null: close enough. */
export function goldenMismatch(golden: GoldenCase, outputs: readonly NamedTensor[]): string | null {
  for (const expected of golden.outputs) {
    const actual = outputs.find(output => output.name === expected.name);
    if (!actual || actual.datatype !== expected.datatype || actual.bytes.length !== expected.bytes.length)
      return `the output "${expected.name}" has another type or shape than the golden output`;
    if (expected.datatype === "BYTES") {
      if (Buffer.compare(actual.bytes, expected.bytes) === 0) continue;
      return `the output "${expected.name}" has other text than the golden output`;
    }
    const a = numbersOf(actual);
    const e = numbersOf(expected);
    for (let i = 0; i < e.length; i++) {
      const wanted = e[i] ?? 0;
      const found = a[i] ?? 0;
      if (Object.is(wanted, found)) continue;
      if (!(Math.abs(found - wanted) <= golden.tolerance * Math.max(1, Math.abs(wanted))))
        return `element ${i} of the output "${expected.name}" is ${found}, the golden output says ${wanted}`;
    }
  }
  return null;
}

function numbersOf(tensor: RawTensor): Float64Array {
  const { datatype, bytes } = tensor;
  const size = bytesPerElement(datatype);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const numbers = new Float64Array(bytes.length / size);
  for (let i = 0; i < numbers.length; i++) numbers[i] = readNumber(view, datatype, i * size);
  return numbers;
}

function readNumber(view: DataView, datatype: RawTensor["datatype"], at: number): number {
  switch (datatype) {
    case "BYTES":
      throw new VariscaleError("internal", "text is no number");
    case "BOOL":
    case "UINT8":
      return view.getUint8(at);
    case "INT8":
      return view.getInt8(at);
    case "UINT16":
      return view.getUint16(at, true);
    case "FP16":
      return halfToNumber(view.getUint16(at, true));
    case "BF16":
      return upperHalfToNumber(view.getUint16(at, true));
    case "INT16":
      return view.getInt16(at, true);
    case "UINT32":
      return view.getUint32(at, true);
    case "INT32":
      return view.getInt32(at, true);
    case "UINT64":
      return Number(view.getBigUint64(at, true));
    case "INT64":
      return Number(view.getBigInt64(at, true));
    case "FP32":
      return view.getFloat32(at, true);
    case "FP64":
      return view.getFloat64(at, true);
    default:
      return datatype satisfies never;
  }
}

/** bfloat16: the upper half of a single-precision number. */
function upperHalfToNumber(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint16(0, bits);
  return view.getFloat32(0);
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
