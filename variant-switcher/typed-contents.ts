import type { Datatype } from "../domain/tensor.ts";
import type {
  InferTensorContents,
  InferTensorContents__Output,
} from "../proto/generated/inference/InferTensorContents.ts";
import { bytesPerElement, elementsOf } from "../runtime/tensor-data.ts";
import { decodeBytesElements, encodeBytesElements } from "./bytes-elements.ts";
import { invalid, toSnakeCase } from "./infer-request.ts";
import { INTEGER_RANGE } from "./json-elements.ts";

/** Which member of InferTensorContents holds a datatype; half-precision numbers have none. */
const MEMBER = {
  BOOL: "boolContents",
  INT8: "intContents",
  INT16: "intContents",
  INT32: "intContents",
  INT64: "int64Contents",
  UINT8: "uintContents",
  UINT16: "uintContents",
  UINT32: "uintContents",
  UINT64: "uint64Contents",
  FP32: "fp32Contents",
  FP64: "fp64Contents",
  BYTES: "bytesContents",
} as const satisfies Partial<Record<Datatype, keyof InferTensorContents>>;

/** The elements of typed contents as bytes. Throws `invalid_argument` unless there are exactly `count` that the datatype can hold. */
export function bytesOfContents(
  name: string,
  datatype: Datatype,
  contents: InferTensorContents__Output | null,
  count: number,
): Uint8Array {
  if (datatype === "FP16" || datatype === "BF16")
    throw invalid(`input "${name}" is ${datatype}, which has no contents; send it in raw_input_contents`);
  const member = MEMBER[datatype];
  const given: readonly unknown[] = contents?.[member] ?? [];
  if (given.length !== count)
    throw invalid(`input "${name}" has ${given.length} ${toSnakeCase(member)}, its shape says ${count}`);
  if (datatype === "BYTES") return encodeBytesElements(given as readonly Uint8Array[]);
  const bytes = new Uint8Array(count * bytesPerElement(datatype));
  const elements = elementsOf(datatype, bytes);
  const range = INTEGER_RANGE[datatype];
  for (const [i, value] of given.entries()) {
    if (range && !((value as number) >= range[0] && (value as number) <= range[1]))
      throw invalid(`input "${name}": ${value} is no ${datatype}`);
    elements[i] =
      elements instanceof BigInt64Array || elements instanceof BigUint64Array
        ? BigInt(value as string)
        : Number(value as number | boolean);
  }
  return bytes;
}

/** A tensor's elements as typed contents; not for half-precision numbers. */
export function contentsOf(datatype: Datatype, bytes: Uint8Array): InferTensorContents {
  if (datatype === "FP16" || datatype === "BF16") return {};
  if (datatype === "BYTES") return { bytesContents: decodeBytesElements(bytes) };
  const elements = elementsOf(datatype, bytes);
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array)
    return { [MEMBER[datatype]]: Array.from(elements, String) };
  if (datatype === "BOOL") return { boolContents: Array.from(bytes, byte => byte !== 0) };
  return { [MEMBER[datatype]]: Array.from(elements) };
}
