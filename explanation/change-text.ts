import type { ModeSet, Pinned, Unpinned } from "../domain/operator-change.ts";
import type { OperatorPin } from "../domain/operator-pin.ts";

export interface ChangeTextOptions {
  /** The pipeline's name, with which every line starts. */
  readonly of: string;
  /** It was only checked. */
  readonly dryRun: boolean;
  readonly timeText: (atMs: number) => string;
}

/** What a pin changed, or would change, by lines. */
export function pinnedText(pinned: Pinned, { of, dryRun, timeText }: ChangeTextOptions): readonly string[] {
  const { stage, replaced, expiresAtMs } = pinned;
  const before = replaced === null ? "was not pinned" : `was pinned to ${fixedText(replaced)}`;
  const now = `${dryRun ? "would be" : "is"} pinned to ${fixedText(pinned)} until ${timeText(expiresAtMs)}`;
  return [`${of}: stage ${stage} ${before}`, `${of}: stage ${stage} ${now}`];
}

export function unpinnedText({ pins, removed }: Unpinned, { of, dryRun }: ChangeTextOptions): readonly string[] {
  if (removed === 0) return [`${of}: nothing was pinned`];
  const done = dryRun ? "would no longer be" : "is no longer";
  return pins.map(pin => `${of}: stage ${pin.stage} ${done} pinned to ${fixedText(pin)}`);
}

export function modeText({ mode, before, fileMode }: ModeSet, { of, dryRun }: ChangeTextOptions): readonly string[] {
  if (mode === before) return [`${of}: the mode is ${mode} already`];
  const lasts = mode === fileMode ? "as its file says" : `its file says ${fileMode}; a new mode in the file wins`;
  return [
    `${of}: the mode was ${before ?? "another"}`,
    `${of}: the mode ${dryRun ? "would be" : "is"} ${mode} (${lasts})`,
  ];
}

/** What a pin fixes. */
export function fixedText({ variant, batch, replicas }: Pick<OperatorPin, "variant" | "batch" | "replicas">): string {
  const fixed = [
    ...(variant === null ? [] : [`variant ${variant}`]),
    ...(batch === null ? [] : [`batch ${batch}`]),
    ...(replicas === null ? [] : [`${replicas} replicas`]),
  ];
  return fixed.join(", ");
}
