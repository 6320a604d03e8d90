const VIEWS: ReadonlySet<object> = new Set(
  [
    ...[Buffer, Uint8Array, Int8Array, Uint8ClampedArray, Uint16Array, Int16Array, Uint32Array, Int32Array],
    ...[Float32Array, Float64Array, BigUint64Array, BigInt64Array],
  ].map(({ prototype }) => prototype),
);

/**
 * A copy that goes on as the value would: of plain objects, arrays, typed arrays and buffers, however deep; what is one object in the value is
 * one in the copy. Null: it holds something else, as an instance of a class or a function, of which a copy may not do the same.
 */
export function plainCopy<T>(value: T): { readonly value: T } | null {
  try {
    return { value: copyOf(value, new Map()) as T };
  } catch (error) {
    if (error === NOT_PLAIN) return null;
    throw error;
  }
}

const NOT_PLAIN = new Error("not plain data");

/** @param copies of what was copied before, by the original. */
function copyOf(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value === "function" || typeof value === "symbol") throw NOT_PLAIN;
  if (typeof value !== "object" || value === null) return value;
  const before = copies.get(value);
  if (before) return before;
  if (ArrayBuffer.isView(value)) return viewCopy(value, copies);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === ArrayBuffer.prototype) return kept(value, (value as ArrayBuffer).slice(0), copies);
  const isArray = Array.isArray(value) && prototype === Array.prototype;
  if (!isArray && prototype !== Object.prototype && prototype !== null) throw NOT_PLAIN;
  const copy = kept(value, isArray ? [] : (Object.create(prototype as object | null) as object), copies);
  for (const key of Reflect.ownKeys(value)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (typeof key === "symbol" || !property || !("value" in property)) throw NOT_PLAIN;
    Object.defineProperty(copy, key, { ...property, value: copyOf(property.value, copies) });
  }
  return copy;
}

/** Views of one buffer are views of one buffer in the copy. */
function viewCopy(view: ArrayBufferView, copies: Map<object, object>): object {
  if (!VIEWS.has(Object.getPrototypeOf(view))) throw NOT_PLAIN;
  const { byteOffset, byteLength } = view;
  const buffer = copyOf(view.buffer, copies) as ArrayBuffer;
  if (Buffer.isBuffer(view)) return kept(view, Buffer.from(buffer, byteOffset, byteLength), copies);
  const { constructor: Kind, length } = view as Uint8Array;
  return kept(view, new (Kind as Uint8ArrayConstructor)(buffer, byteOffset, length), copies);
}

function kept<C extends object>(value: object, copy: C, copies: Map<object, object>): C {
  copies.set(value, copy);
  return copy;
}
