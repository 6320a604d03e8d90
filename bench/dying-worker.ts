/** A session's thread that ends in the middle of the first batch after 20 s of life. */
import { InferenceSession } from "onnxruntime-node";
import "../variant-switcher/session-worker.ts";

const LIFE_MS = 20_000;
const endMs = performance.now() + LIFE_MS;
const { prototype } = InferenceSession as unknown as { readonly prototype: InferenceSession };
const { run } = prototype;
prototype.run = function (this: InferenceSession, feeds: InferenceSession.FeedsType, fetches?: unknown) {
  if (performance.now() > endMs) process.exit(1);
  return run.call(this, feeds, fetches as InferenceSession.FetchesType);
};
