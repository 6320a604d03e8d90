import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { invalidFile, parsePipelineFile } from "../domain/pipeline-file.ts";

/**
 * Reads a pipeline file and the measurements beside it.
 *
 * @throws not_found when it can't be read, invalid_argument with every issue when it is not valid.
 */
export function readPipeline(file: string): Pipeline {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const message = `${file} can't be read: ${VariscaleError.from(error).message}. Name an existing pipeline file.`;
    throw new VariscaleError("not_found", message, { cause: error });
  }
  const parsed = parsePipelineFile(text, name => readBeside(file, name));
  if (!parsed.ok) throw invalidFile(file, parsed.issues);
  return parsed.pipeline;
}

function readBeside(file: string, name: string): string | null {
  try {
    return readFileSync(join(dirname(file), name), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
