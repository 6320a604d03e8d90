import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** A pipeline of emulated variants, and the load that it is run under in earnest and in the simulator. */
export interface ValidationPipeline {
  readonly name: string;
  readonly sloMs: number;
  readonly peakRps: number;
  readonly lowShare: number;
  readonly stages: readonly {
    readonly name: string;
    readonly fanOut: number;
    /** Milliseconds of one row, of eight, and accuracy. */
    readonly variants: Readonly<Record<string, readonly [oneMs: number, eightMs: number, accuracy: number]>>;
  }[];
}

/** Times of one row, and some of the accuracies, are those of IPA's variants; sizes such that ten processes serve the peak. */
export const VALIDATION_PIPELINES: readonly ValidationPipeline[] = [
  {
    name: "one stage",
    sloMs: 700,
    peakRps: 40,
    lowShare: 0.15,
    stages: [
      {
        name: "classify",
        fanOut: 1,
        variants: { light: [25, 110, 0.7], medium: [60, 330, 0.8], heavy: [120, 800, 0.9] },
      },
    ],
  },
  {
    name: "video",
    sloMs: 1378,
    peakRps: 20,
    lowShare: 0.2,
    stages: [
      { name: "detect", fanOut: 1, variants: { n: [65, 420, 0.457], s: [129, 830, 0.568], m: [190, 1230, 0.641] } },
      {
        name: "classify",
        fanOut: 2,
        variants: { r18: [52, 290, 0.6975], r50: [108, 610, 0.7613], r101: [171, 970, 0.7737] },
      },
    ],
  },
  {
    name: "audio",
    sloMs: 1884,
    peakRps: 8,
    lowShare: 0.3,
    stages: [
      {
        name: "speech",
        fanOut: 1,
        variants: { small: [334, 1950, 0.5872], medium: [440, 2570, 0.6488], large: [759, 4430, 0.6674] },
      },
      {
        name: "sentiment",
        fanOut: 1,
        variants: { distil: [16, 90, 0.7963], base: [27, 150, 0.799], large: [87, 490, 0.8303] },
      },
    ],
  },
];

const CODE = (pipeline: ValidationPipeline): string => {
  const rows = pipeline.stages.map(
    ({ name, fanOut }) => `${name}: { rows: () => Array.from({ length: ${fanOut} }, row), collect: () => {} }`,
  );
  return `
const row = () => ({ x: { datatype: "FP32", shape: [1], data: new Float32Array(1) } });
export default { decode: () => ({}), stages: { ${rows.join(", ")} }, respond: () => ({}) };
`;
};

/** The pipeline's file and code in a folder. */
export function writeValidationPipeline(folder: string, pipeline: ValidationPipeline): void {
  const tensor = (name: string) => [{ name, datatype: "FP32", shape: [-1, 1] }];
  const file = {
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: pipeline.name.replace(" ", "-") },
    spec: {
      mode: "active",
      intervalMs: 5000,
      stabilisation: { scaleDownMs: 10_000 },
      slo: { latencyMs: pipeline.sloMs, quantile: 0.99 },
      code: "./code.mjs",
      stages: pipeline.stages.map(({ name, fanOut, variants }) => ({
        name,
        fanOut,
        replicas: { min: 1, max: 5 },
        contract: { inputs: tensor("x"), outputs: tensor("y") },
        defaultVariant: Object.keys(variants)[0],
        variants: Object.entries(variants).map(([variant, [oneMs, eightMs, accuracy]]) => ({
          name: variant,
          driver: "emulated",
          model: `${variant}.onnx`,
          sha256: "c".repeat(64),
          accuracy,
          profile: {
            cores: 1,
            loadMs: 300,
            points: [1, 2, 4, 8].map(batch => ({
              batch,
              latencyMs: oneMs + ((eightMs - oneMs) * (batch - 1)) / 7,
              scv: 0.05,
            })),
          },
        })),
      })),
    },
  };
  // JSON is YAML.
  writeFileSync(join(folder, "pipeline.yaml"), JSON.stringify(file, null, 2));
  writeFileSync(join(folder, "code.mjs"), CODE(pipeline));
}
