import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ModelPackage } from "../domain/pipeline-schema.ts";
import type { ModelRecipe } from "./prepare.ts";
import { replaceFile } from "./replace-file.ts";

/** Where the licence of a package is kept beside the models that are made from it. */
export function licenceFile({ name, version }: ModelPackage, modelDir: string): string {
  return join(modelDir, "licences", `${name}-${version}.txt`);
}

/**
 * Writes whose the models are and what was changed, with the texts of the licences as they are in the wheel.
 *
 * @param files where they were unpacked to, by their name in the wheel.
 */
export async function writeLicence(
  wanted: ModelPackage,
  recipes: readonly ModelRecipe[],
  files: ReadonlyMap<string, string>,
  modelDir: string,
): Promise<void> {
  const { name, version, sha256, licence } = wanted;
  const head = [
    `${name} ${version} (wheel with sha256 ${sha256})`,
    `Licence: ${licence.name}`,
    licence.notice,
    `Made from it: ${recipes.map(recipe => recipe.file).join(", ")}`,
  ].join("\n");
  const texts = await Promise.all(
    licence.files.map(async path => `--- ${path}\n\n${await readFile(files.get(path) ?? path, "utf8")}`),
  );
  await replaceFile(licenceFile(wanted, modelDir), [head, ...texts].join("\n\n"));
}

/** Whether it is there now, by being copied from the other folder or before. */
export async function copyLicence(wanted: ModelPackage, from: string, to: string): Promise<boolean> {
  const [own, other] = [licenceFile(wanted, to), licenceFile(wanted, from)];
  if ((await textOf(own)) !== null) return true;
  const text = await textOf(other);
  if (text !== null) await replaceFile(own, text);
  return text !== null;
}

function textOf(file: string): Promise<string | null> {
  return readFile(file, "utf8").catch(() => null);
}
