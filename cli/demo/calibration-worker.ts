import { parentPort, workerData } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";

/** What the thread is started with: one model and inputs of one row, and for how long it runs them. */
export interface CalibrationTask {
  readonly model: string;
  readonly threads: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly type: "uint8" | "float32" | "int32" | "int64";
    readonly shape: readonly number[];
  }[];
  readonly durationMs: number;
}

async function measure(task: CalibrationTask): Promise<number> {
  const session = await InferenceSession.create(task.model, {
    intraOpNumThreads: task.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const feeds = Object.fromEntries(task.inputs.map(input => [input.name, zeros(input)]));
  await session.run(feeds);
  const times: number[] = [];
  const startMs = performance.now();
  while (times.length < 5 || performance.now() - startMs < task.durationMs) {
    const before = performance.now();
    await session.run(feeds);
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? Number.NaN;
}

function zeros(input: CalibrationTask["inputs"][number]): Tensor {
  const size = input.shape.reduce((product, dimension) => product * dimension, 1);
  const arrays = { uint8: Uint8Array, float32: Float32Array, int32: Int32Array, int64: BigInt64Array };
  return new Tensor(input.type, new arrays[input.type](size), [...input.shape]);
}

parentPort?.postMessage(await measure(workerData as CalibrationTask));
