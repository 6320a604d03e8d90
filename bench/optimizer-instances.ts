import type { Pipeline } from "../domain/pipeline.ts";
import { parsePipelineFile } from "../domain/pipeline-file.ts";
import { seededRandom } from "../load/seeded-random.ts";
import type { Problem } from "../optimizer/problem.ts";

/** How large a random problem is. */
export interface InstanceSize {
  readonly stages: number;
  readonly variants: number;
  /** Batch sizes: powers of two from 1. */
  readonly batches: number;
}

const CONTRACT = {
  inputs: [{ name: "x", datatype: "FP32", shape: [-1, 16] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [-1, 4] }],
};

/**
 * A random problem of the policy `ipa`: a chain whose variants each take 1.1 to 1.6 times as long as the one before and come 10
 * to 40 % closer to perfect, at 1 to 16 cores, with a batching gain of 1.4 to 5; the SLO is 30 to 100 % of the heaviest variants'
 * service time, accuracy is worth 20 to 2,000 cores. Latencies are whole microseconds and the SLO lies between two of them, so
 * that no solver's tolerance decides what is in time.
 */
export function randomInstance(size: InstanceSize, seed: number): Problem {
  const random = seededRandom(seed);
  let heaviestMs = 0;
  const stages = Array.from({ length: size.stages }, (_, s) => {
    let ms = 20 + 80 * random();
    let accuracy = 0.6 + 0.15 * random();
    const variants = Array.from({ length: size.variants }, (_, v) => {
      const fixed = 0.3 + 0.5 * random();
      const points = Array.from({ length: size.batches }, (_, b) => ({
        batch: 2 ** b,
        latencyMs: micro(ms * (fixed + (1 - fixed) * 2 ** b)),
      }));
      const variant = {
        name: `v${v}`,
        model: `s${s}/v${v}.onnx`,
        sha256: "c".repeat(64),
        accuracy: Math.min(0.995, accuracy),
        profile: { cores: 2 ** Math.min(4, Math.floor(v / 2)), points },
      };
      ms *= 1.1 + 0.5 * random();
      accuracy += (1 - accuracy) * (0.1 + 0.3 * random());
      return variant;
    });
    heaviestMs += variants.at(-1)?.profile.points[0]?.latencyMs ?? 0;
    return { name: `s${s}`, replicas: { min: 1, max: 200 }, defaultVariant: "v0", contract: CONTRACT, variants };
  });
  const weights = { accuracy: 10 ** (1 + 2 * random()), cost: 0.5, batch: 1e-6, switch: 0 };
  const latencyMs = micro(heaviestMs * (0.3 + 0.7 * random())) + 0.0005;
  const objective = { policy: "ipa", podShape: "variant", weights };
  const pipeline = pipelineWith({ slo: { latencyMs }, objective, accuracy: { method: "product" }, stages });
  return problemWith(pipeline, 2 ** Math.floor(1 + 5 * random()));
}

/** A pipeline of what its spec says, with the defaults of the pipeline file. */
export function pipelineWith(spec: object, name = "instance"): Pipeline {
  const result = parsePipelineFile(
    JSON.stringify({
      apiVersion: "variscale.dev/v1alpha1",
      kind: "InferencePipeline",
      metadata: { name, namespace: "bench" },
      spec,
    }),
    () => null,
  );
  if (!result.ok) throw new Error(JSON.stringify(result.issues));
  return result.pipeline;
}

/** Nothing serves yet, nothing is pinned, excluded or limited. */
export function problemWith(pipeline: Pipeline, rateRps: number): Problem {
  const limits = { cores: null, machineCores: null };
  return { pipeline, rateRps, current: null, corrections: {}, excluded: {}, pins: [], limits, bounds: {} };
}

function micro(ms: number): number {
  return Math.round(1000 * ms) / 1000;
}
