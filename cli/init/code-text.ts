import type { NewStage } from "./stages.ts";

/**
 * Code that works with any models: a request names the tensors of each stage, and the answer is what the models give. It is to be
 * replaced by what the pipeline is for.
 */
export function codeText(stages: readonly NewStage[]): string {
  const byStage = <T>(of: (input: NewStage["inputs"][number]) => T): Record<string, Record<string, T>> =>
    Object.fromEntries(
      stages.map(({ name, inputs }) => [name, Object.fromEntries(inputs.map(input => [input.name, of(input)]))]),
    );
  const inputs = byStage(({ datatype, shape }) => ({ datatype, shape: shape.slice(1) }));
  const example = byStage(() => ({ data: [0, 1] }));
  return `// What is done around the models; it runs in the gateway. Write your own: how a request becomes rows of tensors, and what the
// models give becomes an answer. Here a request is JSON with one row for each stage, all numbers of a tensor in one list,
//   ${JSON.stringify(example)}
// with "shape" beside "data" where a dimension is free (-1); the answer has the outputs of each stage.
const INPUTS = ${JSON.stringify(inputs, null, 2)};

const ARRAYS = {
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

function invalid(message) {
  return Object.assign(new Error(message), { code: "invalid_argument" });
}

function rowOf(stage, given) {
  const row = {};
  for (const [name, { datatype, shape: known }] of Object.entries(INPUTS[stage])) {
    const { data, shape = known } = given?.[name] ?? {};
    if (!Array.isArray(data)) throw invalid(\`\${stage}.\${name}.data must be a list of numbers\`);
    const length = shape.reduce((product, dimension) => product * dimension, 1);
    if (data.length !== length) throw invalid(\`\${stage}.\${name}.data must have \${length} numbers for shape [\${shape}]\`);
    const isBig = datatype.endsWith("INT64");
    row[name] = { datatype, shape, data: ARRAYS[datatype].from(isBig ? data.map(BigInt) : data) };
  }
  return row;
}

const codeOf = stage => ({
  rows: ({ rows }) => [rows[stage]],
  collect: (context, [outputs]) => {
    context.outputs[stage] = Object.fromEntries(
      Object.entries(outputs).map(([name, { shape, data }]) => [name, { shape, data: Array.from(data, Number) }]),
    );
  },
});

export default {
  decode: body => {
    let given;
    try {
      given = JSON.parse(Buffer.from(body).toString("utf8"));
    } catch {
      throw invalid("the request must be JSON");
    }
    const rows = Object.fromEntries(Object.keys(INPUTS).map(stage => [stage, rowOf(stage, given?.[stage])]));
    return { rows, outputs: {} };
  },
  stages: Object.fromEntries(Object.keys(INPUTS).map(stage => [stage, codeOf(stage)])),
  respond: ({ outputs }) => outputs,
  // evaluation: labelled items, and who is right; \`variscale profile\` then measures accuracy as well.
};
`;
}
