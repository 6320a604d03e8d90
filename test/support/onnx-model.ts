/** A minimal encoder of ONNX models: just enough protobuf for graphs of plain operators with constant weights. */

interface NodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
}

export interface ValueSpec {
  readonly name: string;
  readonly type: keyof typeof ELEMENT_TYPES;
  /** Text: a dimension that is not fixed. */
  readonly shape: readonly (number | string)[];
}

export interface ModelSpec {
  readonly inputs: readonly ValueSpec[];
  readonly outputs: readonly ValueSpec[];
  readonly nodes: readonly NodeSpec[];
  readonly weights: Readonly<Record<string, { readonly shape: readonly number[]; readonly values: readonly number[] }>>;
  /** Says that the weights are in this other file. */
  readonly externalFile?: string;
}

const ELEMENT_TYPES = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
};

/** Everything is kept in one file and depends on the arguments alone. */
export function encodeModel(spec: ModelSpec): Buffer {
  const graph = message(
    ...spec.nodes.map(node => bytes(1, encodeNode(node))),
    text(2, "graph"),
    ...Object.entries(spec.weights).map(([name, weight]) => bytes(5, encodeWeight(name, weight, spec.externalFile))),
    ...spec.inputs.map(value => bytes(11, encodeValue(value))),
    ...spec.outputs.map(value => bytes(12, encodeValue(value))),
  );
  return message(int(1, 8), bytes(7, graph), bytes(8, message(text(1, ""), int(2, 17))));
}

function encodeNode(node: NodeSpec): Buffer {
  const attributes = Object.entries(node.attributes ?? {}).map(([name, value]) => {
    if (typeof value === "number") return bytes(5, message(text(1, name), int(3, value), int(20, 2)));
    return bytes(5, message(text(1, name), ...value.map(one => int(8, one)), int(20, 7)));
  });
  return message(
    ...node.inputs.map(name => text(1, name)),
    ...node.outputs.map(name => text(2, name)),
    text(4, node.op),
    ...attributes,
  );
}

function encodeWeight(
  name: string,
  weight: { readonly shape: readonly number[]; readonly values: readonly number[] },
  externalFile: string | undefined,
): Buffer {
  const head = message(...weight.shape.map(dimension => int(1, dimension)), int(2, ELEMENT_TYPES.FP32), text(8, name));
  if (externalFile !== undefined)
    return message(head, bytes(13, message(text(1, "location"), text(2, externalFile))), int(14, 1));
  return message(head, bytes(9, Buffer.from(new Float32Array(weight.values).buffer)));
}

function encodeValue(value: ValueSpec): Buffer {
  const dimensions = value.shape.map(dimension =>
    bytes(1, typeof dimension === "number" ? message(int(1, dimension)) : message(text(2, dimension))),
  );
  const tensor = message(int(1, ELEMENT_TYPES[value.type]), bytes(2, message(...dimensions)));
  return message(text(1, value.name), bytes(2, message(bytes(1, tensor))));
}

function message(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

function varint(value: number): Buffer {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  out.push(rest);
  return Buffer.from(out);
}

function int(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}
