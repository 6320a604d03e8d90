import { writeFileSync } from "node:fs";
import { join } from "node:path";

interface Size {
  readonly variants: number;
  readonly sloMs: number;
}

/** Writes the file of a pipeline with eight stages whose variants differ little: what is best takes a long search. Gives its path back. */
export function writeLargePipeline(folder: string, { variants, sloMs }: Size): string {
  const contract = {
    inputs: [{ name: "x", datatype: "FP32", shape: [-1, 4] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [-1, 4] }],
  };
  const stages = Array.from({ length: 8 }, (_, s) => ({
    name: `s${s}`,
    cores: 1,
    memoryMiB: 256,
    replicas: { min: 1, max: 60 },
    defaultVariant: "v0",
    contract,
    variants: Array.from({ length: variants }, (__, v) => ({
      name: `v${v}`,
      model: `v${v}.onnx`,
      sha256: "c".repeat(64),
      accuracy: 0.9 + ((v * 7 + s) % 9) / 100,
      profile: {
        cores: 1,
        points: [1, 2, 4, 8].map(batch => ({ batch, latencyMs: (6 + ((v * 31 + s) % 11)) * (batch + 2) })),
      },
    })),
  }));
  const file = join(folder, "large.yaml");
  const spec = { slo: { latencyMs: sloMs }, stages };
  const kind = { apiVersion: "variscale.dev/v1alpha1", kind: "InferencePipeline", metadata: { name: "large" } };
  writeFileSync(file, JSON.stringify({ ...kind, spec }));
  return file;
}
