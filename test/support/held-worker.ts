/**
 * A session's thread whose loads are noted in the file LOADS, each with the options that onnxruntime got. As long as there is the file HOLD they do not end, or of those only the one
 * whose number, from 1 on, is in it. Runs are faulty-worker's. Not to be imported: it changes onnxruntime for its whole thread.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { InferenceSession } from "onnxruntime-node";
import "./faulty-worker.ts";
import { HOLD, LOADS } from "./held-loads.ts";

/** Null: none is held. */
function heldLoad(): string | null {
  try {
    return readFileSync(process.env[HOLD] ?? "", "utf8");
  } catch {
    return null;
  }
}

const sessions = InferenceSession as unknown as { create: (...args: unknown[]) => Promise<InferenceSession> };
const { create } = sessions;
sessions.create = (...args: unknown[]) => {
  appendFileSync(process.env[LOADS] ?? "", `${JSON.stringify(args[1])}\n`);
  const number = String(readFileSync(process.env[LOADS] ?? "", "utf8").split("\n").length - 1);
  // As native code does: the thread can't be interrupted.
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (["", number].includes(heldLoad() ?? "none")) Atomics.wait(cell, 0, 0, 10);
  return create.apply(InferenceSession, args);
};
