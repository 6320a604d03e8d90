import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { VariscaleError } from "../../domain/errors.ts";
import type { Pipeline, Stage, Variant } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";
import type { TensorContract } from "../../domain/tensor.ts";
import type { CalibrationTask } from "./calibration-worker.ts";

const TYPES = { UINT8: "uint8", FP32: "float32", INT32: "int32", INT64: "int64" } as const;

/**
 * How much longer this machine takes than the one that the pipeline was profiled on: the geometric mean over the stages, each
 * measured with its default variant while the others are measured beside it, as they will run.
 */
export async function calibrate(pipeline: Pipeline, modelFolder: string, durationMs: number): Promise<number> {
  const ratios = await Promise.all(pipeline.stages.map(stage => ratioOf(stage, modelFolder, durationMs)));
  const known = ratios.filter(ratio => ratio !== null);
  if (known.length === 0) return 1;
  return Math.exp(known.reduce((sum, ratio) => sum + Math.log(ratio), 0) / known.length);
}

/** Null where the stage can't be measured this way: no profile, or an input of a type or shape that zeros don't fit. */
async function ratioOf(stage: Stage, modelFolder: string, durationMs: number): Promise<number | null> {
  const variant = stage.variants.find(other => other.name === stage.defaultVariant);
  const inputs = stage.contract.inputs.map(inputOf);
  if (!variant?.profile || !inputs.every(input => input !== null)) return null;
  const measuredMs = await runWorker(
    { model: join(modelFolder, variant.model), threads: Math.max(1, Math.floor(stage.cores)), inputs, durationMs },
    stage,
    variant,
  );
  return measuredMs / serviceMs(variant.profile, 1);
}

function inputOf(tensor: TensorContract): CalibrationTask["inputs"][number] | null {
  const [, ...rest] = tensor.shape;
  if (!(tensor.datatype in TYPES) || rest.some(dimension => dimension < 0)) return null;
  return { name: tensor.name, type: TYPES[tensor.datatype as keyof typeof TYPES], shape: [1, ...rest] };
}

function runWorker(task: CalibrationTask, stage: Stage, variant: Variant): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./calibration-worker.js", import.meta.url), { workerData: task });
    const fail = (why: string): void =>
      reject(
        new VariscaleError(
          "failed_precondition",
          `${stage.name}/${variant.name} can't be measured on this machine: ${why}`,
        ),
      );
    worker.once("message", (measuredMs: number) => {
      resolve(measuredMs);
      worker.terminate().catch(() => undefined);
    });
    worker.once("error", error => fail(error instanceof Error ? error.message : String(error)));
    worker.once("exit", code => fail(`the thread ended with ${code}`));
  });
}
