import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { VariscaleError } from "../../domain/errors.ts";
import { findVariant, type Pipeline, type Stage } from "../../domain/pipeline.ts";
import { serviceMs } from "../../domain/profile.ts";
import type { TensorContract } from "../../domain/tensor.ts";
import type { CalibrationTask } from "./calibration-worker.ts";
import { heaviestVariant } from "./demo-rates.ts";

const TYPES = { UINT8: "uint8", FP32: "float32", INT32: "int32", INT64: "int64" } as const;

/**
 * How much longer this machine takes than the one that the pipeline was profiled on, when all the cores that are planned with are
 * busy: the geometric mean over the stages. Each stage runs its heaviest variant, which is what two cores disturb each other with.
 */
export async function calibrate(
  pipeline: Pipeline,
  modelFolder: string,
  machineCores: number,
  durationMs: number,
): Promise<number> {
  const tasks = pipeline.stages.flatMap(stage => taskOf(stage, modelFolder, durationMs) ?? []);
  if (tasks.length === 0) return 1;
  const threads = Math.max(tasks.length, Math.floor(machineCores));
  const running = Array.from({ length: threads }, (_, i) => runTask(tasks[i % tasks.length] as ProfiledTask));
  const ratios = await Promise.all(running);
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}

interface ProfiledTask extends CalibrationTask {
  readonly name: string;
  readonly profiledMs: number;
}

/** Null where the stage can't be measured this way: no profile, or an input of a type or shape that zeros don't fit. */
function taskOf(stage: Stage, modelFolder: string, durationMs: number): ProfiledTask | null {
  const variant = findVariant(stage, heaviestVariant(stage));
  const inputs = stage.contract.inputs.map(inputOf);
  if (!variant?.profile || !inputs.every(input => input !== null)) return null;
  return {
    name: `${stage.name}/${variant.name}`,
    model: join(modelFolder, variant.model),
    threads: Math.max(1, Math.floor(stage.cores)),
    inputs,
    durationMs,
    profiledMs: serviceMs(variant.profile, 1),
  };
}

function inputOf(tensor: TensorContract): CalibrationTask["inputs"][number] | null {
  const [, ...rest] = tensor.shape;
  if (!(tensor.datatype in TYPES) || rest.some(dimension => dimension < 0)) return null;
  return { name: tensor.name, type: TYPES[tensor.datatype as keyof typeof TYPES], shape: [1, ...rest] };
}

/** Measured over profiled service time. */
function runTask(task: ProfiledTask): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./calibration-worker.js", import.meta.url), { workerData: task });
    const fail = (why: string): void =>
      reject(new VariscaleError("failed_precondition", `${task.name} can't be measured on this machine: ${why}`));
    worker.once("message", (measuredMs: number) => {
      resolve(measuredMs / task.profiledMs);
      worker.terminate().catch(() => undefined);
    });
    worker.once("error", error => fail(error instanceof Error ? error.message : String(error)));
    worker.once("exit", code => fail(`the thread ended with ${code}`));
  });
}
