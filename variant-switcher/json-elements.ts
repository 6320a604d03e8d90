import { VariscaleError } from "../domain/errors.ts";
import { bytesPerElement, elementsOf } from "../runtime/tensor-data.ts";
import type { FixedDatatype } from "./raw-tensor.ts";

/** Deeper nesting than any shape that a contract allows. */
const MAX_DEPTH = 16;

const INTEGER_RANGE: Partial<Record<FixedDatatype, readonly [number, number]>> = {
  BOOL: [0, 1],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/**
 * The elements of a JSON `data` member, flat or nested, as bytes. Throws `invalid_argument` unless there are exactly `count`
 * elements that the datatype can hold. FP16 has no JSON form, and 64-bit integers beyond 2^53 lost digits when they were
 * parsed: both have to come as binary data.
 */
export function elementsFromJson(name: string, datatype: FixedDatatype, data: unknown, count: number): Uint8Array {
  if (datatype === "FP16") throw invalid(name, "FP16 can't be given as JSON; send it as binary data");
  if (!Array.isArray(data)) throw invalid(name, `data must be an array, found ${describe(data)}`);
  const bytes = new Uint8Array(count * bytesPerElement(datatype));
  const elements = elementsOf(datatype, bytes);
  let written = 0;
  const walk = (list: readonly unknown[], depth: number): void => {
    if (depth > MAX_DEPTH) throw invalid(name, `data is nested deeper than ${MAX_DEPTH}`);
    for (const element of list) {
      if (Array.isArray(element)) {
        walk(element, depth + 1);
        continue;
      }
      if (written >= count) throw invalid(name, `data has more than the ${count} elements of its shape`);
      const value = checkedElement(name, datatype, element);
      elements[written++] =
        elements instanceof BigInt64Array || elements instanceof BigUint64Array ? BigInt(value) : value;
    }
  };
  walk(data, 1);
  if (written !== count) throw invalid(name, `data has ${written} elements, its shape says ${count}`);
  return bytes;
}

function checkedElement(name: string, datatype: FixedDatatype, element: unknown): number {
  const value = datatype === "BOOL" && typeof element === "boolean" ? Number(element) : element;
  if (typeof value !== "number") throw invalid(name, `data must be numbers, found ${describe(element)}`);
  const range = INTEGER_RANGE[datatype];
  if (range === undefined) {
    if (Number.isFinite(datatype === "FP32" ? Math.fround(value) : value)) return value;
    throw invalid(name, `${value} does not fit into ${datatype}`);
  }
  if (Number.isInteger(value) && value >= range[0] && value <= range[1]) return value;
  const hint = datatype.endsWith("64") ? " that JSON carries exactly; use binary data" : "";
  throw invalid(name, `${value} is no ${datatype}${hint}`);
}

function invalid(name: string, rule: string): VariscaleError {
  return new VariscaleError("invalid_argument", `input "${name}": ${rule}`);
}

/** The elements as the text of a JSON array. 64-bit integers keep all digits; what is not finite becomes null. */
export function elementsToJson(datatype: FixedDatatype, bytes: Uint8Array): string {
  const elements = elementsOf(datatype, bytes);
  switch (datatype) {
    case "INT64":
    case "UINT64":
      return `[${elements.join(",")}]`;
    case "BOOL":
      return JSON.stringify(Array.from(bytes, byte => byte !== 0));
    case "FP16":
      throw new VariscaleError("invalid_argument", "FP16 has no JSON form; ask for it with `binary_data: true`");
    default:
      return JSON.stringify(Array.from(elements as ArrayLike<number>));
  }
}

function describe(value: unknown): string {
  return value === undefined ? "nothing" : (JSON.stringify(value) ?? typeof value).slice(0, 40);
}
