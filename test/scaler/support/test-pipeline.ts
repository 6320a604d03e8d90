import type { Pipeline } from "../../../domain/pipeline.ts";
import { parsePipelineFile } from "../../../domain/pipeline-file.ts";

export interface TestPipelineOptions {
  readonly namespace?: string;
  readonly name?: string;
  readonly stages?: readonly string[];
  readonly mode?: "shadow" | "active";
  readonly minReplicas?: number;
  /** Of every stage. */
  readonly serviceAccounts?: readonly string[];
}

const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
};

function variant(name: string, accuracy: number, latencyMs: number): unknown {
  const points = [1, 2, 4, 8].map(batch => ({ batch, latencyMs: latencyMs * (0.4 + 0.6 * batch) }));
  return { name, model: `${name}.onnx`, sha256: "a".repeat(64), accuracy, profile: { cores: 1, points } };
}

/** As a file: a chain of stages, each with a heavy (20 ms), a middle (8 ms) and a light (3 ms) variant. */
export function testPipelineText(options: TestPipelineOptions = {}): string {
  return JSON.stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: options.name ?? "cards", namespace: options.namespace ?? "shop" },
    spec: {
      mode: options.mode ?? "active",
      slo: { latencyMs: 500 },
      stages: (options.stages ?? ["detect", "read"]).map(name => ({
        name,
        replicas: { min: options.minReplicas ?? 1, max: 10 },
        ...(options.serviceAccounts && { serviceAccounts: options.serviceAccounts }),
        defaultVariant: "heavy",
        contract: CONTRACT,
        variants: [
          variant("heavy", 0.95, 20),
          variant("middle", 0.9, 8),
          variant("light", 0.8, 3),
          { name: "unmeasured", model: "u.onnx", sha256: "b".repeat(64) },
        ],
      })),
    },
  });
}

export function testPipeline(options: TestPipelineOptions = {}): Pipeline {
  const result = parsePipelineFile(testPipelineText(options), () => null);
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.pipeline;
}
