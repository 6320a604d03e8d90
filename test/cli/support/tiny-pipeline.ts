import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { affineModel, writeModel } from "../../support/models.ts";

/** What a variant makes of x. Its outputs tell which one it was. */
export const TINY: Readonly<Record<string, Readonly<Record<string, (x: number) => number>>>> = {
  // `best` is there where an InstallRig adds it.
  first: { light: x => 2 * x + 1, heavy: x => 2 * x, best: x => 2 * x + 0.5 },
  second: { light: x => 10 * x, heavy: x => 3 * x + 5 },
};

const MODELS: Readonly<Record<string, readonly [scale: number, offset: number]>> = {
  "first-light": [2, 1],
  "first-heavy": [2, 0],
  "second-light": [10, 0],
  "second-heavy": [3, 5],
};

/** A request is a number; `second` has a row for what `first` makes of it, and one for the number after that. */
const CODE = `
const rowOf = n => ({ x: { datatype: "FP32", shape: [2], data: new Float32Array([n, n]) } });
export default {
  decode: body => ({ n: Number(Buffer.from(body).toString()), first: null, second: [] }),
  stages: {
    first: {
      rows: context => [rowOf(context.n)],
      collect: (context, [output]) => { context.first = output.y.data[0]; },
    },
    second: {
      rows: ({ first }) => [rowOf(first), rowOf(first + 1)],
      collect: (context, outputs) => { context.second = outputs.map(output => output.y.data[1]); },
    },
  },
  respond: ({ first, second }) => ({ first, second }),
};
`;

export interface TinyOptions {
  /** False: no variant was measured. */
  readonly profiled?: boolean;
  /** `stage-variant` whose file is not what its sha256 says. */
  readonly corrupt?: string;
  /** `stage-variant` whose file is missing. */
  readonly missing?: string;
}

/** Writes a pipeline of two stages with two variants each into a folder: its file, its code and its models. */
export function writeTinyPipeline(folder: string, options: TinyOptions = {}): void {
  const { profiled = true, corrupt, missing } = options;
  const variant = (stage: string, name: string, latencyMs: number, accuracy: number) => {
    const id = `${stage}-${name}`;
    const [scale, offset] = MODELS[id]!;
    const { model, sha256 } = writeModel(folder, id, affineModel(scale, offset));
    if (corrupt === id) writeModel(folder, id, affineModel(scale, offset + 100));
    const points = [1, 2, 4].map(batch => ({ batch, latencyMs: latencyMs * batch }));
    return {
      name,
      model: missing === id ? `no-${model}` : model,
      sha256,
      accuracy,
      ...(profiled ? { profile: { cores: 1, loadMs: 20, points } } : {}),
    };
  };
  const stage = (name: string, fanOut: number, lightMs: number) => ({
    name,
    fanOut,
    replicas: { min: 1, max: 4 },
    contract: {
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
    },
    defaultVariant: "light",
    variants: [variant(name, "light", lightMs, 0.8), variant(name, "heavy", 5 * lightMs, 0.95)],
  });
  const file = {
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: "tiny" },
    spec: {
      mode: "active",
      intervalMs: 1000,
      stabilisation: { scaleDownMs: 0 },
      slo: { latencyMs: 5000 },
      code: "./code.mjs",
      stages: [stage("first", 1, 2), stage("second", 2, 1)],
    },
  };
  // JSON is YAML.
  writeFileSync(join(folder, "pipeline.yaml"), JSON.stringify(file, null, 2));
  writeFileSync(join(folder, "code.mjs"), CODE);
}
