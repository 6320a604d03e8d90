/** A session's thread that keeps 32 MiB of every run. */
import { InferenceSession } from "onnxruntime-node";
import "../../variant-switcher/session-worker.ts";

const kept: Buffer[] = [];
const { prototype } = InferenceSession as unknown as { readonly prototype: InferenceSession };
const { run } = prototype;
prototype.run = function (this: InferenceSession, feeds: InferenceSession.FeedsType, fetches?: unknown) {
  kept.push(Buffer.alloc(32 * 1024 * 1024, 1));
  return run.call(this, feeds, fetches as InferenceSession.FetchesType);
};
