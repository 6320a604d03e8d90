import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";
import { invalidFile, parsePipelineFile } from "../domain/pipeline-file.ts";
import { scaleServiceTimes } from "../domain/scale-profile.ts";
import { setFields } from "../domain/set-fields.ts";
import { withoutVariants } from "../domain/without-variants.ts";
import { packageFolder } from "./version.ts";

export interface ReadOptions {
  /** `path=value` pairs that replace fields of the file: `spec.slo.latencyMs=800`. */
  readonly set?: readonly string[];
  /** This machine's service time over the profiled one. Default 1. */
  readonly speedFactor?: number;
  /** `stage/variant` of those that the pipeline has to do without. */
  readonly leaveOut?: readonly string[];
  /** Told of every file before it is read, also of one that is not there. */
  readonly onRead?: (path: string) => void;
}

/**
 * The pipeline file at a path: `pipeline.yaml` where the path is a folder. Where there is nothing of that name, `id-card` and
 * `pipelines/id-card` are those that come with the package.
 */
export function pipelineFileAt(path: string): string {
  const absolute = resolve(path);
  const found = statSync(absolute, { throwIfNoEntry: false });
  if (found) return found.isDirectory() ? join(absolute, "pipeline.yaml") : absolute;
  const [, name = ""] = /^(?:pipelines\/)?([a-z0-9-]+)\/?$/.exec(path) ?? [];
  const ours = join(packageFolder, "pipelines", name, "pipeline.yaml");
  return name !== "" && existsSync(ours) ? ours : absolute;
}

/**
 * Reads a pipeline file and the measurements beside it.
 *
 * @throws not_found when it can't be read, invalid_argument with every issue when it is not valid.
 */
export function readPipeline(file: string, options: ReadOptions = {}): Pipeline {
  const path = pipelineFileAt(file);
  let text: string;
  options.onRead?.(path);
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const message = `${path} can't be read: ${VariscaleError.from(error).message}. Name an existing pipeline file or its folder, or one that comes with the package, as id-card; \`variscale init\` writes a new one.`;
    throw new VariscaleError("not_found", message, { cause: error });
  }
  const parsed = parsePipelineFile(setFields(text, options.set ?? []), name => readBeside(path, name, options));
  if (!parsed.ok) throw invalidFile(path, parsed.issues);
  const pipeline = withoutVariants(parsed.pipeline, options.leaveOut ?? []);
  return options.speedFactor === undefined ? pipeline : scaleServiceTimes(pipeline, options.speedFactor);
}

function readBeside(file: string, name: string, { onRead }: ReadOptions): string | null {
  const path = join(dirname(file), name);
  onRead?.(path);
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    const message = `${path}, which ${file} names, can't be read: ${VariscaleError.from(error).message}. Correct \`spec.measurements\`.`;
    throw new VariscaleError("failed_precondition", message, { cause: error });
  }
}
