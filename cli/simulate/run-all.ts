import { availableParallelism } from "node:os";
import type { SimulationCase } from "./cases.ts";
import { SimulationThread } from "./thread.ts";
import type { CaseResult } from "./worker.ts";

export interface SimulationResult extends CaseResult {
  readonly policy: SimulationCase["policy"];
  readonly seed: number;
  readonly seconds: number;
}

/**
 * Runs all cases in `jobs` threads (null: one for each core); results are in the order of the cases, `onResult` is told of each as it comes.
 * Throws the signal's reason when that is aborted.
 */
export async function runAll(
  cases: readonly SimulationCase[],
  jobs: number | null,
  onProgress: (share: number) => void,
  {
    signal,
    onResult,
  }: { readonly signal?: AbortSignal | undefined; readonly onResult?: (i: number, result: CaseResult) => void } = {},
): Promise<readonly SimulationResult[]> {
  const shares = cases.map(() => 0);
  const results: SimulationResult[] = [];
  let next = 0;
  const show = (i: number, share: number): void => {
    shares[i] = share;
    onProgress(shares.reduce((sum, one) => sum + one, 0) / cases.length);
  };
  const runLane = async (): Promise<void> => {
    const thread = new SimulationThread();
    try {
      for (let i = next++; i < cases.length; i = next++) {
        const given = cases[i] as SimulationCase;
        const result = await thread.run(given, share => show(i, share), signal);
        results[i] = {
          policy: given.policy,
          seed: given.seed,
          seconds: given.load.ratesRps.length - given.warmUpSeconds,
          ...result,
        };
        onResult?.(i, result);
        show(i, 1);
      }
    } finally {
      // After an error the others end with the case that they have.
      next = cases.length;
      await thread.close();
    }
  };
  const lanes = Math.min(cases.length, jobs ?? availableParallelism());
  await Promise.all(Array.from({ length: lanes }, runLane));
  return results;
}
