import { closeSync, openSync, writeSync } from "node:fs";
import { type TranscriptLine, transcriptText } from "../../agent/transcript.ts";
import { VariscaleError } from "../../domain/errors.ts";

/** A transcript that is written line by line, readable by its owner alone; null: none is written. */
export function openTranscript(
  path: string | null,
  secret: string | null,
): { readonly write: (line: TranscriptLine) => void; readonly close: () => void } {
  if (path === null) return { write: () => undefined, close: () => undefined };
  let file: number;
  try {
    file = openSync(path, "w", 0o600);
  } catch (error) {
    const message = `--transcript ${path} can't be written: ${VariscaleError.from(error).message}`;
    throw new VariscaleError("unavailable", message, { cause: error });
  }
  return {
    write: line => writeSync(file, `${transcriptText(line, secret)}\n`),
    close: () => closeSync(file),
  };
}
