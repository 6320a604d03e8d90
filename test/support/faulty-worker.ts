/** A session's thread that crashes or hangs on a batch that begins with one of these numbers, dies later on after another, and is the real one otherwise. */
import { workerData } from "node:worker_threads";
import { InferenceSession } from "onnxruntime-node";
import { leaveNative } from "../../variant-switcher/native-flag.ts";
import type { SessionWorkerData } from "../../variant-switcher/session-messages.ts";
import "../../variant-switcher/session-worker.ts";

export const CRASH = 666;
export const HANG = 667;
/** It runs, and the thread dies afterwards. */
export const DIE_LATER = 668;
export const DIE_AFTER_MS = 3000;

const { prototype } = InferenceSession as unknown as { readonly prototype: InferenceSession };
const { run } = prototype;
prototype.run = function (this: InferenceSession, feeds: InferenceSession.FeedsType, fetches?: unknown) {
  const first = Object.values(feeds)[0]?.data[0];
  if (first === CRASH) process.exit(1);
  // Where a thread can be ended: out of native code it can't.
  while (first === HANG) leaveNative((workerData as SessionWorkerData).native);
  if (first === DIE_LATER) setTimeout(() => process.exit(1), DIE_AFTER_MS);
  return run.call(this, feeds, fetches as InferenceSession.FetchesType);
};
