import { readFileSync } from "node:fs";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { invalidFile, parsePipelineFile } from "../domain/pipeline-file.ts";

/**
 * Reads a pipeline file without the measurements that may be beside it: they are about to be replaced, and may not fit it any more.
 *
 * @throws not_found or invalid_argument.
 */
export function readUnmeasured(file: string): Pipeline {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const message = `${file} can't be read: ${VariscaleError.from(error).message}. Name the folder of a pipeline.`;
    throw new VariscaleError("not_found", message, { cause: error });
  }
  const parsed = parsePipelineFile(text, () => null);
  if (!parsed.ok) throw invalidFile(file, parsed.issues);
  return parsed.pipeline;
}
