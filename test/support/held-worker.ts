/**
 * A session's thread whose loads are noted in the file LOADS, and do not end as long as there is the file HOLD. Not to be imported: it
 * changes onnxruntime for its whole thread.
 */
import { appendFileSync, existsSync } from "node:fs";
import { InferenceSession } from "onnxruntime-node";
import "../../variant-switcher/session-worker.ts";
import { HOLD, LOADS } from "./held-loads.ts";

const sessions = InferenceSession as unknown as { create: (...args: unknown[]) => Promise<InferenceSession> };
const { create } = sessions;
sessions.create = (...args: unknown[]) => {
  appendFileSync(process.env[LOADS] ?? "", "load\n");
  // As native code does: the thread can't be interrupted.
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (existsSync(process.env[HOLD] ?? "")) Atomics.wait(cell, 0, 0, 10);
  return create.apply(InferenceSession, args);
};
