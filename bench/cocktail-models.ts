import type { Pipeline } from "../domain/pipeline.ts";
import { pipelineWith } from "./optimizer-instances.ts";

/**
 * Table 1 of Cocktail (Gunasekaran et al., NSDI 2022): top-1 accuracy, latency of one image, and how many run at once on a c5.xlarge with
 * its four cores. A replica here is one of those: it has its share of the cores, as one that runs alone has all of them.
 */
const MODELS = [
  { name: "mobilenet-v1", accuracy: 0.704, latencyMs: 43.45, atOnce: 10 },
  { name: "mobilenet-v2", accuracy: 0.713, latencyMs: 41.5, atOnce: 10 },
  { name: "nasnet-mobile", accuracy: 0.744, latencyMs: 78.18, atOnce: 3 },
  { name: "densenet-121", accuracy: 0.75, latencyMs: 102.35, atOnce: 3 },
  { name: "densenet-201", accuracy: 0.773, latencyMs: 152.21, atOnce: 2 },
  { name: "xception", accuracy: 0.79, latencyMs: 119.2, atOnce: 4 },
  { name: "inception-v3", accuracy: 0.779, latencyMs: 89, atOnce: 5 },
  { name: "resnet-50-v2", accuracy: 0.76, latencyMs: 89.5, atOnce: 6 },
  { name: "resnet-50", accuracy: 0.749, latencyMs: 98.22, atOnce: 5 },
  { name: "inception-resnet-v2", accuracy: 0.803, latencyMs: 151.96, atOnce: 1 },
  { name: "nasnet-large", accuracy: 0.82, latencyMs: 311, atOnce: 1 },
] as const;

const INSTANCE_CORES = 4;

/** The best single model's accuracy. */
export const BEST_SINGLE = 0.82;

/** Its classification as a pipeline of one stage, under its policy and its 700 ms. */
export function cocktailPipeline(minAccuracy: number): Pipeline {
  const stage = {
    name: "classify",
    replicas: { min: 1, max: 100 },
    defaultVariant: "mobilenet-v1",
    contract: {
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 1] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 1] }],
    },
    variants: MODELS.map(({ name, accuracy, latencyMs, atOnce }) => ({
      name,
      model: `${name}.onnx`,
      sha256: "c".repeat(64),
      accuracy,
      profile: { cores: INSTANCE_CORES / atOnce, points: [{ batch: 1, latencyMs }] },
    })),
  };
  const objective = { policy: "cocktail", podShape: "variant", minAccuracy };
  return pipelineWith({ slo: { latencyMs: 700 }, objective, stages: [stage] }, "cocktail");
}
