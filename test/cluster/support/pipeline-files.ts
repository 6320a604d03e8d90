import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface ClusterPipeline {
  readonly namespace: string;
  readonly name: string;
  readonly stages: readonly string[];
  readonly replicas?: { readonly min: number; readonly max: number };
  /** Of every stage; missing: none are named. */
  readonly serviceAccounts?: readonly string[];
}

const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1] }],
};

/** Writes the file of a pipeline whose stages have one variant each; replicas are then a matter of pins. */
export function writePipeline(folder: string, pipeline: ClusterPipeline): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${pipeline.namespace}-${pipeline.name}.yaml`);
  const profile = { cores: 1, points: [1, 2, 4].map(batch => ({ batch, latencyMs: 10 * batch })) };
  const variant = { name: "only", model: "only.onnx", sha256: "a".repeat(64), accuracy: 0.9, profile };
  const text = JSON.stringify({
    apiVersion: "variscale.dev/v1alpha1",
    kind: "InferencePipeline",
    metadata: { name: pipeline.name, namespace: pipeline.namespace },
    spec: {
      mode: "active",
      slo: { latencyMs: 500 },
      stages: pipeline.stages.map(name => ({
        name,
        replicas: pipeline.replicas ?? { min: 1, max: 50 },
        serviceAccounts: pipeline.serviceAccounts ?? [],
        contract: CONTRACT,
        defaultVariant: "only",
        variants: [variant],
      })),
    },
  });
  writeFileSync(file, text);
  return file;
}
