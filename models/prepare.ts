import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import { applyEdits, type ModelEdit } from "./graph.ts";
import { decodeModel, encodeModel } from "./onnx.ts";
import { cannotWrite, removeAbandoned, replaceFile } from "./replace-file.ts";

/**
 * Where a model comes from: a file of an installed npm package, a file that comes with the pipeline, or a file in the wheel of a
 * Python package that the pipeline file pins in `packages`.
 */
export type ModelSource =
  | { readonly kind: "package"; readonly package: string; readonly version: string; readonly path: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "python"; readonly package: string; readonly path: string };

/** How one model file of a stage is made. Both ends are pinned, so every machine serves the same bytes. */
export interface ModelRecipe {
  /** Name of the result in the model folder. */
  readonly file: string;
  readonly source: ModelSource;
  readonly sourceSha256: string;
  /** None: the source already has the stage's contract and is copied. */
  readonly edits: readonly ModelEdit[];
  /** Of the result. */
  readonly sha256: string;
}

/** What became of a recipe. `cached`: the right file was there already; `missing`: its Python package has to be installed. */
export interface PreparedModel {
  readonly kind: "cached" | "prepared" | "missing";
  readonly file: string;
  readonly path: string;
  readonly sha256: string;
}

export interface PrepareOptions {
  /** Folder of the results; made where it is missing. */
  readonly targetDir: string;
  /** A folder where models from Python packages may be already; the right ones are copied. */
  readonly installedDir?: string;
  /** The file that a path in a Python package was unpacked to; null: it was not. */
  readonly unpacked?: (packageName: string, path: string) => string | null;
  /** Called once per recipe, in order. */
  readonly onProgress?: (model: PreparedModel) => void;
}

/**
 * Makes the model files of all recipes. Files that are there with the right bytes stay; every other one is written
 * beside its place and renamed, so a reader never sees half a file.
 * @throws VariscaleError `failed_precondition` where a package is missing or a source or result is not the pinned one,
 *   `invalid_argument` for a source that is no ONNX model.
 */
export async function prepareModels(
  recipes: readonly ModelRecipe[],
  options: PrepareOptions,
): Promise<readonly PreparedModel[]> {
  await mkdir(options.targetDir, { recursive: true }).catch((cause: unknown) => {
    throw cannotWrite(options.targetDir, cause);
  });
  await removeAbandoned(options.targetDir);
  const prepared: PreparedModel[] = [];
  for (const recipe of recipes) {
    const model = await prepareModel(recipe, options);
    prepared.push(model);
    options.onProgress?.(model);
  }
  return prepared;
}

async function prepareModel(recipe: ModelRecipe, options: PrepareOptions): Promise<PreparedModel> {
  const { targetDir, installedDir } = options;
  const { file, sha256 } = recipe;
  if (basename(file) !== file) {
    throw new VariscaleError("invalid_argument", `model file name \`${file}\` must not name a folder`);
  }
  const path = join(targetDir, file);
  if (await readIfRight(path, sha256)) return { kind: "cached", file, path, sha256 };
  let unpacked: string | null = null;
  if (recipe.source.kind === "python") {
    const installed = installedDir && (await readIfRight(join(installedDir, file), sha256));
    if (installed) {
      await replaceFile(path, installed);
      return { kind: "prepared", file, path, sha256 };
    }
    unpacked = options.unpacked?.(recipe.source.package, recipe.source.path) ?? null;
    if (unpacked === null) return { kind: "missing", file, path, sha256 };
  }
  const source = await readSource(recipe, unpacked);
  const bytes =
    recipe.edits.length === 0
      ? source
      : encodeModel(applyEdits(decodeModel(source, nameOf(recipe.source)), recipe.edits));
  const actual = sha256Of(bytes);
  if (actual !== sha256) {
    throw new VariscaleError(
      "failed_precondition",
      `${file} came out with sha256 ${actual} but ${sha256} is pinned: ` +
        "this version of variscale edits models differently from the one that pinned it; update the recipe and the pipeline file",
    );
  }
  await replaceFile(path, bytes);
  return { kind: "prepared", file, path, sha256 };
}

async function readIfRight(path: string, sha256: string): Promise<Uint8Array | undefined> {
  const present = await readFile(path).catch(() => undefined);
  return present && sha256Of(present) === sha256 ? present : undefined;
}

async function readSource(recipe: ModelRecipe, unpacked: string | null): Promise<Uint8Array> {
  const { source, sourceSha256 } = recipe;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(unpacked ?? (source.kind === "package" ? packageFile(source) : source.path));
  } catch (cause) {
    const advice =
      source.kind === "file" ? "install variscale again, its own files are not complete" : adviceOn(source);
    throw new VariscaleError("failed_precondition", `${nameOf(source)} is missing: ${advice}`, { cause });
  }
  const actual = sha256Of(bytes);
  if (actual !== sourceSha256) {
    throw new VariscaleError(
      "failed_precondition",
      `${nameOf(source)} has sha256 ${actual} but ${recipe.file} is made from ${sourceSha256}: ${adviceOn(source)}`,
    );
  }
  return bytes;
}

function adviceOn(source: ModelSource): string {
  switch (source.kind) {
    case "file":
      return "restore the file as it was released";
    case "package":
      return `run \`npm install ${source.package}@${source.version}\``;
    case "python":
      return "pin the package that has this file, or correct the recipe";
    default:
      return source satisfies never;
  }
}

/** Looks a file up as an import would, without asking the package which of its files may be imported. */
function packageFile({ package: name, path }: { readonly package: string; readonly path: string }): string {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  for (const folder of folders) {
    const file = join(folder, name, path);
    if (existsSync(file)) return file;
  }
  throw new Error(`${name} is not installed in any of: ${folders.join(", ")}`);
}

function nameOf(source: ModelSource): string {
  return source.kind === "file" ? source.path : `${source.package}/${source.path}`;
}

function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
