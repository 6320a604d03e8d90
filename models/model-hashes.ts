import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline as pipeStreams } from "node:stream/promises";
import { VariscaleError } from "../domain/errors.ts";
import type { Pipeline } from "../domain/pipeline.ts";

/** A variant whose model file is not the one that the pipeline file names. */
export interface WrongModel {
  readonly stage: string;
  readonly variant: string;
  readonly path: string;
  /** The sha256 of the file that is there; null: there is none, or it can't be read. */
  readonly found: string | null;
  /** The fault and its fix, in sentences that name the variant and the file. */
  readonly message: string;
}

/**
 * Compares the model file of every variant with the sha256 that the pipeline file gives. Variants that have no file of their own (`remote`) or
 * never read it (`emulated`) are left out. Files are read in chunks, and each file once however many variants share it.
 */
export async function findWrongModels(pipeline: Pipeline, modelFolder: string): Promise<readonly WrongModel[]> {
  const hashes = new Map<string, Promise<string>>();
  const wrong: WrongModel[] = [];
  for (const { name: stage, variants } of pipeline.stages)
    for (const { name: variant, driver, model, sha256 } of variants) {
      if (driver !== "onnx" || sha256 === null) continue;
      const path = join(modelFolder, model);
      const hash = hashes.get(path) ?? hashFile(path);
      hashes.set(path, hash);
      const named = { stage, variant, path };
      try {
        const found = await hash;
        if (found !== sha256) wrong.push({ ...named, found, message: otherHashText(named, found, sha256) });
      } catch (error) {
        wrong.push({ ...named, found: null, message: unreadableText(named, error) });
      }
    }
  return wrong;
}

/** @throws failed_precondition that names every variant whose model file is not the one that the pipeline file names. */
export async function checkModelHashes(pipeline: Pipeline, modelFolder: string): Promise<void> {
  const wrong = await findWrongModels(pipeline, modelFolder);
  if (wrong.length > 0) throw new VariscaleError("failed_precondition", wrong.map(({ message }) => message).join("\n"));
}

/** The sha256 of a file, in lower-case hexadecimal digits. @throws what reading it throws. */
async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeStreams(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest("hex");
}

type Named = Pick<WrongModel, "stage" | "variant" | "path">;

function otherHashText({ stage, variant, path }: Named, found: string, expected: string): string {
  return `${path} of variant ${stage}/${variant} has sha256 ${found}, the pipeline file says ${expected}. Where the model is a new one, write the sha256 that it has into the pipeline file and run \`variscale profile\` again; else put the old file back.`;
}

/** Advises on a model file that can't be read: a missing file needs another fix than one that this user may not read. */
function unreadableText({ stage, variant, path }: Named, error: unknown): string {
  return `${path} of variant ${stage}/${variant} can't be read: ${VariscaleError.from(error).message}. ${fixUnreadable(error)}`;
}

/** The advice that belongs to a failure to read a model file. */
export function fixUnreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "ENOENT")
    return "Copy it there, run `variscale models prepare` where the pipeline has recipes, or name its folder by --model-folder.";
  if (code === "EACCES" || code === "EPERM")
    return "Let this user read it: `chmod +r` for the file, `+x` for its folders.";
  return "Make it a file that can be read.";
}
