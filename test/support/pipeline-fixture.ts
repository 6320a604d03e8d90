import type { Pipeline } from "../../domain/pipeline.ts";
import { parsePipelineFile } from "../../domain/pipeline-file.ts";

const SHA = "0".repeat(64);
const CONTRACT =
  "{ inputs: [{ name: x, datatype: FP32, shape: [-1, 4] }], outputs: [{ name: y, datatype: FP32, shape: [-1, 4] }] }";

/** Variants by name: service time of one row in ms, and accuracy. Batches of 1, 2 and 4 take proportionally longer. */
export type Ladder = Readonly<Record<string, readonly [latencyMs: number, accuracy: number]>>;

export interface FixtureStage {
  readonly name: string;
  readonly ladder: Ladder;
  readonly fanOut?: number;
  readonly replicas?: { readonly min: number; readonly max: number };
}

/** A chain of stages with made-up profiles; `spec` is merged over the pipeline's own fields. */
export function pipelineFixture(
  stages: readonly FixtureStage[],
  spec: Readonly<Record<string, unknown>> = {},
): Pipeline {
  const file = {
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: "fixture" },
    spec: {
      mode: "active",
      slo: { latencyMs: 500, quantile: 0.95 },
      ...spec,
      stages: stages.map(stage => ({
        name: stage.name,
        fanOut: stage.fanOut ?? 1,
        replicas: stage.replicas ?? { min: 1, max: 8 },
        contract: "CONTRACT",
        defaultVariant: Object.keys(stage.ladder)[0],
        variants: Object.entries(stage.ladder).map(([name, [latencyMs, accuracy]]) => ({
          name,
          model: `${name}.onnx`,
          sha256: SHA,
          accuracy,
          profile: { cores: 1, points: [1, 2, 4].map(batch => ({ batch, latencyMs: latencyMs * batch })) },
        })),
      })),
    },
  };
  const result = parsePipelineFile(JSON.stringify(file).replaceAll('"CONTRACT"', CONTRACT), () => null);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.pipeline;
}

/** Detection then recognition of four rows each: heavy, middle and light. */
export function twoStages(spec: Readonly<Record<string, unknown>> = {}): Pipeline {
  return pipelineFixture(
    [
      { name: "detect", ladder: { heavy: [60, 0.98], middle: [25, 0.95], light: [8, 0.88] } },
      { name: "read", ladder: { heavy: [20, 0.97], middle: [6, 0.93], light: [1, 0.85] }, fanOut: 4 },
    ],
    spec,
  );
}
