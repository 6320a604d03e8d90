import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { VariscaleError } from "../../domain/errors.ts";
import { makeFolder } from "../make-folder.ts";

/** A file to be written, by its path in the folder: of text, or as a copy of another file. */
export interface NewFile {
  readonly path: string;
  readonly content: { readonly text: string } | { readonly copyOf: string };
}

/**
 * Writes all files, or none where one of them is there already.
 *
 * @throws VariscaleError failed_precondition.
 */
export function writeFiles(folder: string, files: readonly NewFile[], force: boolean): void {
  const there = files.filter(({ path, content }) => existsSync(join(folder, path)) && !isSelf(folder, path, content));
  if (!force && there.length > 0)
    throw new VariscaleError(
      "failed_precondition",
      `${there.map(({ path }) => join(folder, path)).join(", ")}: there already. Name another folder, or write over it with --force.`,
    );
  try {
    for (const { path, content } of files) {
      const target = join(folder, path);
      if (isSelf(folder, path, content)) continue;
      makeFolder(dirname(target));
      if ("text" in content) writeFileSync(target, content.text);
      else copyFileSync(content.copyOf, target);
    }
  } catch (error) {
    const message = `${folder} can't be written: ${VariscaleError.from(error).message}. Name a folder that is yours.`;
    throw new VariscaleError("failed_precondition", message, { cause: error });
  }
}

/** A model that lies where its copy would go. */
function isSelf(folder: string, path: string, content: NewFile["content"]): boolean {
  return "copyOf" in content && resolve(content.copyOf) === resolve(folder, path);
}
