/** A thread that trains as one does that crashes or hangs, or as one that sends what is no model: which one the seed says. */
import { parentPort } from "node:worker_threads";
import type { TrainingRequest } from "../../scaler/training-messages.ts";

export const CRASH = 666;
export const HANG = 667;
export const NONSENSE = 668;

parentPort?.on("message", ({ seeds: [seed] }: TrainingRequest) => {
  if (seed === CRASH) process.exit(3);
  if (seed === NONSENSE) parentPort?.postMessage({ kind: "trained", model: {}, horizons: [], busyMs: 1 });
  while (seed === HANG);
});
