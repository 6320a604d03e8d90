import { copyFileSync, existsSync } from "node:fs";
import { basename, join, resolve, sep } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import { pipelineFileAt, readPipeline } from "../runtime/read-pipeline.ts";
import { packageFolder } from "../runtime/version.ts";
import { makeFolder } from "./make-folder.ts";
import { nameOfPipeline } from "./own-pipelines.ts";

/**
 * The pipeline file beside which the result of a measurement goes. A pipeline that is named by its name alone is copied to that name in this
 * folder, which means the copy from then on: what came with the package stays as it came, for others may use it as well.
 *
 * @param onCopied told where to.
 * @throws failed_precondition where the copy can't be written, and for a path into an installed package.
 */
export function fileToMeasure(path: string, onCopied: (folder: string) => void): string {
  const file = pipelineFileAt(path);
  const name = nameOfPipeline(file);
  if (name === file) return file;
  const folder = resolve(path);
  if (existsSync(folder)) {
    if (!packageFolder.split(sep).includes("node_modules")) return file;
    throw new VariscaleError(
      "failed_precondition",
      `${file} came with the package and stays as it came. Say by --file where the result goes, or give its name alone, ${name}: it is copied to the folder that you are in.`,
    );
  }
  try {
    copyPipeline(file, folder);
  } catch (error) {
    throw new VariscaleError(
      "failed_precondition",
      `${name} came with the package, and can't be copied to ${folder}, where its result would go: ${VariscaleError.from(error).message}. Go to a folder that can be written, or say by --file where the result goes.`,
      { cause: error },
    );
  }
  onCopied(folder);
  return join(folder, basename(file));
}

/** The file and those that it names. */
function copyPipeline(file: string, folder: string): void {
  const files: string[] = [];
  readPipeline(file, { onRead: path => files.push(path) });
  makeFolder(folder);
  for (const path of files) if (existsSync(path)) copyFileSync(path, join(folder, basename(path)));
}
