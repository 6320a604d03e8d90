import { VariscaleError } from "../domain/errors.ts";
import type { Datatype } from "../domain/tensor.ts";
import { bytesPerElement, elementsOf } from "../runtime/tensor-data.ts";
import { decodeBytesElements, encodeBytesElements } from "./bytes-elements.ts";
import { longInteger } from "./exact-json.ts";

/** Deeper nesting than any shape that a contract allows. */
const MAX_DEPTH = 16;

export const INTEGER_RANGE: Partial<Record<Datatype, readonly [number, number]>> = {
  BOOL: [0, 1],
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
};

const LONG_RANGE: Partial<Record<Datatype, readonly [bigint, bigint]>> = {
  UINT64: [0n, 2n ** 64n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** Half-precision numbers have no JSON form. */
export function hasJsonForm(datatype: Datatype): boolean {
  return datatype !== "FP16" && datatype !== "BF16";
}

/**
 * The elements of a JSON `data` member, flat or nested, as bytes; `data` comes from parseExactJson(), so that 64-bit integers have
 * all their digits. Throws `invalid_argument` unless there are exactly `count` elements that the datatype can hold.
 */
export function elementsFromJson(name: string, datatype: Datatype, data: unknown, count: number): Uint8Array {
  if (!hasJsonForm(datatype)) throw invalid(name, `${datatype} can't be given as JSON; send it as binary data`);
  if (!Array.isArray(data)) throw invalid(name, `data must be an array, found ${describe(data)}`);
  if (datatype === "BYTES") {
    const texts: Uint8Array[] = [];
    visit(name, data, count, element => {
      if (typeof element !== "string") throw invalid(name, `data must be text, found ${describe(element)}`);
      texts.push(Buffer.from(element, "utf8"));
    });
    return encodeBytesElements(texts);
  }
  // What the shape says is not to be trusted with memory before it is seen to be there.
  if (lengthOf(data, 1) !== count) visit(name, data, count, () => undefined);
  const bytes = new Uint8Array(count * bytesPerElement(datatype));
  const elements = elementsOf(datatype, bytes);
  const long = LONG_RANGE[datatype];
  visit(name, data, count, (element, i) => {
    elements[i] = long ? longElement(name, datatype, element, long) : checkedElement(name, datatype, element);
  });
  return bytes;
}

/** How many elements there are, found without a look at each; another number where arrays have both elements and arrays. */
function lengthOf(list: readonly unknown[], depth: number): number {
  if (depth > MAX_DEPTH || !Array.isArray(list[0])) return list.length;
  let length = 0;
  for (const inner of list) length += Array.isArray(inner) ? lengthOf(inner, depth + 1) : 1;
  return length;
}

function visit(
  name: string,
  data: readonly unknown[],
  count: number,
  take: (element: unknown, index: number) => void,
): void {
  let taken = 0;
  const walk = (list: readonly unknown[], depth: number): void => {
    if (depth > MAX_DEPTH) throw invalid(name, `data is nested deeper than ${MAX_DEPTH}`);
    for (const element of list) {
      if (Array.isArray(element)) {
        walk(element, depth + 1);
        continue;
      }
      if (taken >= count) throw invalid(name, `data has more than the ${count} elements of its shape`);
      take(element, taken++);
    }
  };
  walk(data, 1);
  if (taken !== count) throw invalid(name, `data has ${taken} elements, its shape says ${count}`);
}

function checkedElement(name: string, datatype: Datatype, element: unknown): number {
  const value = plainNumber(datatype, element);
  if (typeof value !== "number") throw invalid(name, `data must be numbers, found ${describe(element)}`);
  const range = INTEGER_RANGE[datatype];
  if (range === undefined) {
    if (Number.isFinite(datatype === "FP32" ? Math.fround(value) : value)) return value;
    throw invalid(name, `${value} does not fit into ${datatype}`);
  }
  if (Number.isInteger(value) && value >= range[0] && value <= range[1]) return value;
  throw invalid(name, `${value} is no ${datatype}`);
}

function plainNumber(datatype: Datatype, element: unknown): unknown {
  if (datatype === "BOOL" && typeof element === "boolean") return Number(element);
  const digits = longInteger(element);
  return digits === null ? element : Number(digits);
}

function longElement(name: string, datatype: Datatype, element: unknown, range: readonly [bigint, bigint]): bigint {
  const digits = longInteger(element);
  if (digits === null && typeof element !== "number")
    throw invalid(name, `data must be numbers, found ${describe(element)}`);
  // A larger number in another notation, 1e18 for example, need not be what was meant.
  const isWhole = digits !== null || Number.isSafeInteger(element);
  const value = isWhole ? BigInt(digits ?? (element as number)) : null;
  if (value !== null && value >= range[0] && value <= range[1]) return value;
  throw invalid(name, `${digits ?? element} is no ${datatype}`);
}

function invalid(name: string, rule: string): VariscaleError {
  return new VariscaleError("invalid_argument", `input "${name}": ${rule}`);
}

/**
 * The elements as the text of a JSON array. 64-bit integers keep all digits; what is not finite becomes null. Throws
 * `invalid_argument` for what has no JSON form.
 */
export function elementsToJson(datatype: Datatype, bytes: Uint8Array): string {
  if (!hasJsonForm(datatype)) throw noJsonForm(datatype);
  if (datatype === "BYTES") return JSON.stringify(decodeBytesElements(bytes).map(textOf));
  const elements = elementsOf(datatype, bytes);
  if (LONG_RANGE[datatype]) return `[${elements.join(",")}]`;
  if (datatype === "BOOL") return JSON.stringify(Array.from(bytes, byte => byte !== 0));
  return JSON.stringify(Array.from(elements as ArrayLike<number>));
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw noJsonForm("BYTES that is no UTF-8");
  }
}

function noJsonForm(what: string): VariscaleError {
  return new VariscaleError("invalid_argument", `${what} has no JSON form; ask for it with \`binary_data: true\``);
}

function describe(value: unknown): string {
  return value === undefined ? "nothing" : (JSON.stringify(value) ?? typeof value).slice(0, 40);
}
