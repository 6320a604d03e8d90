/** A session's thread that crashes or hangs when a batch begins with one of these numbers, and is the real one otherwise. */
import { parentPort } from "node:worker_threads";
import "../../variant-switcher/session-worker.ts";
import type { SessionRequest } from "../../variant-switcher/session-messages.ts";

export const CRASH = 666;
export const HANG = 667;

parentPort?.on("message", (request: SessionRequest) => {
  const first = request.kind === "run" ? new Float32Array(request.inputs[0]!.data)[0] : 0;
  if (first === CRASH) process.exit(1);
  while (first === HANG);
});
