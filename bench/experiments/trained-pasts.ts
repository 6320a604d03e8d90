import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Past } from "../../cli/simulate/past.ts";
import type { LoadTrace } from "../../load/load-trace.ts";

/** Trains a network on each load, a minute or so each, on all cores; in the order of the loads. */
export async function trainedPasts(loads: readonly LoadTrace[]): Promise<readonly Past[]> {
  const pasts: Past[] = [];
  let next = 0;
  const runLane = async (): Promise<void> => {
    for (let i = next++; i < loads.length; i = next++) {
      // A part of a longer load would be sent with all of it.
      const { startMs, ratesRps } = loads[i] as LoadTrace;
      const workerData: LoadTrace = { startMs, ratesRps: ratesRps.slice() };
      const worker = new Worker(new URL("./past-worker.js", import.meta.url), { workerData });
      // Rejects with what the thread throws.
      [pasts[i]] = (await once(worker, "message")) as [Past];
    }
  };
  await Promise.all(Array.from({ length: Math.min(loads.length, availableParallelism()) }, runLane));
  return pasts;
}
