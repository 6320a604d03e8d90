/** Field numbers of onnx.proto along which tensors are found. */
const MODEL = { graph: 7, functions: 25 };
const GRAPH = { node: 1, initializer: 5, sparseInitializer: 15 };
const FUNCTION = { node: 7 };
const NODE = { attribute: 5 };
const ATTRIBUTE = { t: 5, g: 6, tensors: 10, graphs: 11, sparseTensor: 22, sparseTensors: 23 };
const SPARSE = { values: 1, indices: 2 };
const TENSOR = { externalData: 13, dataLocation: 14 };
const EXTERNAL = 1;

const MAX_DEPTH = 64;

/**
 * Whether a serialised ONNX model keeps tensors in other files. Such files would be read without their hash being known, so
 * these models are refused. Throws an Error for bytes that are no protobuf message.
 */
export function usesExternalData(model: Uint8Array): boolean {
  let found = false;
  const visit = (message: Uint8Array, kind: Record<number, (child: Uint8Array) => void>): void =>
    forEachField(message, (field, value) => {
      if (value instanceof Uint8Array) kind[field]?.(value);
    });
  const tensor = (bytes: Uint8Array): void =>
    forEachField(bytes, (field, value) => {
      if (field === TENSOR.externalData || (field === TENSOR.dataLocation && value === EXTERNAL)) found = true;
    });
  const sparse = (bytes: Uint8Array): void => visit(bytes, { [SPARSE.values]: tensor, [SPARSE.indices]: tensor });
  const node = (bytes: Uint8Array, depth: number): void =>
    visit(bytes, { [NODE.attribute]: child => attribute(child, depth + 1) });
  const attribute = (bytes: Uint8Array, depth: number): void =>
    visit(bytes, {
      [ATTRIBUTE.t]: tensor,
      [ATTRIBUTE.tensors]: tensor,
      [ATTRIBUTE.g]: child => graph(child, depth + 1),
      [ATTRIBUTE.graphs]: child => graph(child, depth + 1),
      [ATTRIBUTE.sparseTensor]: sparse,
      [ATTRIBUTE.sparseTensors]: sparse,
    });
  const graph = (bytes: Uint8Array, depth: number): void => {
    if (depth > MAX_DEPTH) throw new Error(`graphs are nested deeper than ${MAX_DEPTH}`);
    visit(bytes, {
      [GRAPH.node]: child => node(child, depth),
      [GRAPH.initializer]: tensor,
      [GRAPH.sparseInitializer]: sparse,
    });
  };
  visit(model, {
    [MODEL.graph]: child => graph(child, 0),
    [MODEL.functions]: child => visit(child, { [FUNCTION.node]: grandchild => node(grandchild, 0) }),
  });
  return found;
}

/** Calls back with each field's number and its value: bytes where it is length-delimited, a number otherwise. */
function forEachField(message: Uint8Array, callback: (field: number, value: Uint8Array | number) => void): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("ends in the middle of a number");
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Error("has a number that does not end");
  };
  const skip = (bytes: number): number => {
    const start = at;
    at += bytes;
    if (at > message.length) throw new Error(`is cut off: ${at - message.length} bytes are missing`);
    return start;
  };
  while (at < message.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    switch (tag % 8) {
      case 0:
        callback(field, varint());
        break;
      case 1:
        skip(8);
        break;
      case 2: {
        const length = varint();
        callback(field, message.subarray(skip(length), at));
        break;
      }
      case 5:
        skip(4);
        break;
      default:
        throw new Error(`has no ONNX field at byte ${at}`);
    }
  }
}
