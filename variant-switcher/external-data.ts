import protobuf from "protobufjs/minimal.js";

/** Field numbers of onnx.proto along which tensors are found. */
const MODEL = { graph: 7, functions: 25 };
const GRAPH = { node: 1, initializer: 5, sparseInitializer: 15 };
/** Default values of a function's attributes may hold tensors, too. */
const FUNCTION = { node: 7, attributeProto: 11 };
const NODE = { attribute: 5 };
const ATTRIBUTE = { t: 5, g: 6, tensors: 10, graphs: 11, sparseTensor: 22, sparseTensors: 23 };
const SPARSE = { values: 1, indices: 2 };
const TENSOR = { externalData: 13, dataLocation: 14 };

/** Wire types of protobuf. ONNX has no groups. */
const [VARINT, FIXED_64, LENGTH_DELIMITED, FIXED_32] = [0, 1, 2, 5];

const MAX_DEPTH = 64;

/**
 * Whether a serialised ONNX model keeps tensors in other files. Such files would be read without their hash being known, so
 * these models are refused. Throws an Error for bytes that are no protobuf message.
 */
export function usesExternalData(model: Uint8Array): boolean {
  let found = false;
  const visit = (message: Uint8Array, kind: Record<number, (child: Uint8Array) => void>): void =>
    forEachField(message, (field, value) => {
      if (typeof value !== "string") kind[field]?.(value);
    });
  const tensor = (bytes: Uint8Array): void =>
    forEachField(bytes, (field, value) => {
      // Zero is the only location that is in the file.
      if (field === TENSOR.externalData || (field === TENSOR.dataLocation && value !== "0")) found = true;
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
    [MODEL.functions]: child =>
      visit(child, {
        [FUNCTION.node]: grandchild => node(grandchild, 0),
        [FUNCTION.attributeProto]: grandchild => attribute(grandchild, 0),
      }),
  });
  return found;
}

/** Calls back with each field's number and its value: bytes where it is length-delimited, the digits of a whole number otherwise. */
function forEachField(message: Uint8Array, callback: (field: number, value: Uint8Array | string) => void): void {
  const reader = protobuf.Reader.create(message);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const [field, wireType] = [tag >>> 3, tag & 7];
      if (wireType === LENGTH_DELIMITED) callback(field, reader.bytes());
      else if (wireType === VARINT) callback(field, String(reader.uint64()));
      else if (wireType === FIXED_64 || wireType === FIXED_32) reader.skipType(wireType);
      else throw new Error(`has no ONNX field at byte ${reader.pos}`);
    }
  } catch (error) {
    // The reader says so where a value would end behind the message's end.
    if (error instanceof RangeError) throw new Error(`is cut off: ${error.message}`);
    throw error;
  }
}
