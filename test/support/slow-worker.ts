/** A session's thread whose runs take this long. Not to be imported: it changes onnxruntime for its whole thread. */
import { InferenceSession } from "onnxruntime-node";
import "../../variant-switcher/session-worker.ts";

const RUN_MS = 300;

const cell = new Int32Array(new SharedArrayBuffer(4));
const { prototype } = InferenceSession as unknown as { readonly prototype: InferenceSession };
const { run } = prototype;
prototype.run = function (this: InferenceSession, feeds: InferenceSession.FeedsType, fetches?: unknown) {
  Atomics.wait(cell, 0, 0, RUN_MS);
  return run.call(this, feeds, fetches as InferenceSession.FetchesType);
};
