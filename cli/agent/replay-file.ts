import { readFileSync, statSync } from "node:fs";
import { replay } from "../../agent/replay.ts";
import { MOST_TRANSCRIPT, parseTranscript } from "../../agent/transcript.ts";
import { VariscaleError } from "../../domain/errors.ts";
import { writeResult } from "../write-result.ts";
import { formatReplayed } from "./format-agent.ts";

/** Exit code: 0 where every verdict is as it was recorded. */
export function replayFile(path: string, output: "text" | "json"): number {
  const replayed = replay(parseTranscript(read(path), path));
  writeResult(output === "json" ? JSON.stringify({ proposals: replayed }, null, 2) : formatReplayed(replayed));
  return replayed.every(({ isSame }) => isSame) ? 0 : 1;
}

function read(path: string): string {
  try {
    const { size } = statSync(path);
    if (size > MOST_TRANSCRIPT)
      throw new VariscaleError("invalid_argument", `${path}: has more than ${MOST_TRANSCRIPT} bytes`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof VariscaleError) throw error;
    throw new VariscaleError(
      "not_found",
      `${path} can't be read: ${VariscaleError.from(error).message}. Name a file that --transcript has written.`,
      { cause: error },
    );
  }
}
