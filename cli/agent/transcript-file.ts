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
    throw unwritable(path, error);
  }
  return {
    write: line => {
      try {
        writeSync(file, `${transcriptText(line, secret)}\n`);
      } catch (error) {
        throw unwritable(path, error);
      }
    },
    close: () => closeSync(file),
  };
}

function unwritable(path: string, cause: unknown): VariscaleError {
  const why = VariscaleError.from(cause).message;
  return new VariscaleError(
    "unavailable",
    `--transcript ${path} can't be written: ${why}. Make room, or name another file.`,
    {
      cause,
    },
  );
}
