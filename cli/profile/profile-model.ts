import type { MeasurementsInput } from "../../domain/profile-schema.ts";
import { GAP_MS, profilePipeline } from "../../profiler/profile-pipeline.ts";
import { checkWritable, writeWhole } from "../../profiler/write-whole.ts";
import { directPipeline } from "./direct-pipeline.ts";

export interface ProfileModelOptions {
  /** An ONNX file, or the address of a model of the Open Inference Protocol V2. */
  readonly target: string;
  readonly shapes: readonly string[];
  /** None: 1. */
  readonly cores: readonly number[];
  readonly windowMs: number;
  /** Between two windows at least. Default 5 s. */
  readonly gapMs?: number;
  readonly acceptNoise: boolean;
  /** Undefined: nothing is written. */
  readonly file?: string;
  readonly onProgress: (line: string) => void;
}

/** Measures one model with random data, without a pipeline file. */
export async function profileModel(options: ProfileModelOptions): Promise<MeasurementsInput> {
  const { target, shapes, windowMs, acceptNoise, file, onProgress } = options;
  const [own = 1, ...cores] = options.cores;
  if (file !== undefined) checkWritable(file);
  const { pipeline, modelFolder } = await directPipeline(target, shapes, own);
  return profilePipeline({
    ...{ pipeline, modelFolder, windowMs, acceptNoise, cores, onProgress },
    file: target,
    code: { decode: () => null, stages: {}, respond: () => null },
    gapMs: options.gapMs ?? GAP_MS,
    items: 1,
    jobs: null,
    minutes: null,
    cacheFile: null,
    write: measurements => {
      if (file !== undefined) writeWhole(file, `${JSON.stringify(measurements, null, 2)}\n`);
    },
    nowMs: () => Date.now(),
  });
}
