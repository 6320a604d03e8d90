import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { SimulationCase } from "./cases.ts";
import type { CaseResult, WorkerMessage } from "./worker.ts";

export interface SimulationResult extends CaseResult {
  readonly policy: SimulationCase["policy"];
  readonly seed: number;
  readonly seconds: number;
}

/**
 * Runs all cases, each in a thread of its own, `jobs` at a time (null: one for each core); results are in the order of the cases.
 * Throws the signal's reason when that is aborted.
 */
export async function runAll(
  cases: readonly SimulationCase[],
  jobs: number | null,
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<readonly SimulationResult[]> {
  const shares = cases.map(() => 0);
  const results: SimulationResult[] = [];
  let next = 0;
  const show = (i: number, share: number): void => {
    shares[i] = share;
    onProgress(shares.reduce((sum, one) => sum + one, 0) / cases.length);
  };
  const runNext = async (): Promise<void> => {
    for (let i = next++; i < cases.length; i = next++) {
      const given = cases[i] as SimulationCase;
      const result = await runCase(given, share => show(i, share), signal);
      results[i] = {
        policy: given.policy,
        seed: given.seed,
        seconds: given.load.ratesRps.length - given.warmUpSeconds,
        ...result,
      };
      show(i, 1);
    }
  };
  const lanes = Math.min(cases.length, jobs ?? availableParallelism());
  await Promise.all(Array.from({ length: lanes }, runNext));
  return results;
}

function runCase(
  given: SimulationCase,
  onProgress: (share: number) => void,
  signal: AbortSignal | undefined,
): Promise<CaseResult> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: given });
    const onAbort = (): void => {
      reject(signal?.reason);
      void worker.terminate();
    };
    signal?.addEventListener("abort", onAbort);
    worker.on("message", (message: WorkerMessage) => {
      if (message.kind === "progress") onProgress(message.share);
      else resolve(message.result);
    });
    worker.once("error", reject);
    worker.once("exit", code => {
      signal?.removeEventListener("abort", onAbort);
      reject(new Error(`a simulation's thread ended with ${code} before its result`));
    });
  });
}
