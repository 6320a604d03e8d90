import type { OperatorPin } from "../../domain/operator-pin.ts";
import { formatKey, type PipelineKey } from "../../domain/pipeline.ts";
import type { ModeSet, Pinned, Unpinned } from "./changes.ts";

/** What a pin changed, or would change. */
export function pinnedText(key: PipelineKey, pinned: Pinned, dryRun: boolean): string {
  const { replaced } = pinned;
  const of = `${formatKey(key)}: stage ${pinned.stage}`;
  const before = replaced === null ? "was not pinned" : `was pinned to ${fixedText(replaced)}`;
  return `${of} ${before}\n${of} ${dryRun ? "would be" : "is"} pinned to ${fixedText(pinned)} until ${timeText(pinned.expiresAtMs)}`;
}

export function unpinnedText(key: PipelineKey, { pins, removed }: Unpinned, dryRun: boolean): string {
  if (removed === 0) return `${formatKey(key)}: nothing was pinned`;
  const done = dryRun ? "would no longer be" : "is no longer";
  return pins.map(pin => `${formatKey(key)}: stage ${pin.stage} ${done} pinned to ${fixedText(pin)}`).join("\n");
}

export function modeText(key: PipelineKey, { mode, before, fileMode }: ModeSet, dryRun: boolean): string {
  const of = formatKey(key);
  if (mode === before) return `${of}: the mode is ${mode} already`;
  const lasts = mode === fileMode ? "as its file says" : `its file says ${fileMode}; a new mode in the file wins`;
  return `${of}: the mode was ${before ?? "another"}\n${of}: the mode ${dryRun ? "would be" : "is"} ${mode} (${lasts})`;
}

function fixedText({ variant, batch, replicas }: OperatorPin): string {
  const fixed = [
    ...(variant === null ? [] : [`variant ${variant}`]),
    ...(batch === null ? [] : [`batch ${batch}`]),
    ...(replicas === null ? [] : [`${replicas} replicas`]),
  ];
  return fixed.join(", ");
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
}
