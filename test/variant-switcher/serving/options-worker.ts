/**
 * A session's thread that writes the options that it gives to onnxruntime into the file SESSION_OPTIONS. Not to be imported: it changes
 * onnxruntime for its whole thread.
 */
import { appendFileSync } from "node:fs";
import { InferenceSession } from "onnxruntime-node";
import "../../../variant-switcher/session-worker.ts";

const sessions = InferenceSession as unknown as { create: (...args: unknown[]) => Promise<InferenceSession> };
const { create } = sessions;
sessions.create = (...args: unknown[]) => {
  appendFileSync(process.env["SESSION_OPTIONS"] ?? "", `${JSON.stringify(args[1])}\n`);
  return create.apply(InferenceSession, args);
};
