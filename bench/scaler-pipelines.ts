import type { Pipeline } from "../domain/pipeline.ts";
import { parsePipelineFile } from "../domain/pipeline-file.ts";

/** Stages of every generated pipeline, in order. */
export const STAGES = ["detect", "crop", "read"] as const;
/** Variants of every stage, heaviest first. */
export const VARIANTS = ["huge", "large", "medium", "small"] as const;

const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 16] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 4] }],
};

/** A pipeline of three stages, each with four variants that were measured at five batch sizes. */
export function generatedPipeline(index: number): Pipeline {
  const stages = STAGES.map((name, i) => ({
    name,
    fanOut: i === 2 ? 4 : 1,
    replicas: { min: 1, max: 20 },
    defaultVariant: VARIANTS[0],
    contract: CONTRACT,
    variants: VARIANTS.map((variant, j) => ({
      name: variant,
      model: `${name}/${variant}.onnx`,
      sha256: "c".repeat(64),
      accuracy: 0.97 - 0.03 * j - 0.01 * i,
      profile: {
        cores: 1,
        points: [1, 2, 4, 8, 16].map(batch => ({ batch, latencyMs: (30 / 2 ** j / (i + 1)) * (0.3 + 0.7 * batch) })),
      },
    })),
  }));
  const text = JSON.stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: `pipeline-${index}`, namespace: "bench" },
    spec: { mode: "active", slo: { latencyMs: 600 }, stages },
  });
  const result = parsePipelineFile(text, () => null);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.pipeline;
}
