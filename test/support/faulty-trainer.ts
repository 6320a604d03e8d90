/** A thread that trains as one does that crashes, hangs, never ends, needs too much memory, sends no model or finds too little load: the seed says which. */
import { parentPort } from "node:worker_threads";
import type { TrainingRequest } from "../../scaler/forecasting/training-messages.ts";

export const CRASH = 666;
export const HANG = 667;
export const NONSENSE = 668;
export const ENDLESS = 669;
export const GREEDY = 670;
export const TOO_LITTLE = 671;

parentPort?.on("message", ({ seeds: [seed] }: TrainingRequest) => {
  if (seed === CRASH) process.exit(3);
  if (seed === NONSENSE) parentPort?.postMessage({ kind: "trained", model: {}, horizons: [], busyMs: 1 });
  if (seed === TOO_LITTLE) parentPort?.postMessage({ kind: "tooLittle" });
  if (seed === ENDLESS) setInterval(() => parentPort?.postMessage({ kind: "alive" }), 20);
  const kept: number[][] = [];
  while (seed === GREEDY) kept.push(Array.from({ length: 10_000 }, (_, i) => i * kept.length));
  while (seed === HANG);
});
