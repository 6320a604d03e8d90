import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { packageFolder } from "../runtime/version.ts";

const FOLDER = join(packageFolder, "pipelines");

/** Names of the pipelines that come with the package. */
export function ownPipelines(): readonly string[] {
  return readdirSync(FOLDER)
    .filter(name => existsSync(join(FOLDER, name, "pipeline.yaml")))
    .sort();
}

/** The folder of one that comes with the package, or else the path as it is. */
export function pathOfPipeline(nameOrPath: string): string {
  return ownPipelines().includes(nameOrPath) ? join(FOLDER, nameOrPath) : nameOrPath;
}

/** How a user names a pipeline file: by the name of one that comes with the package, or by its path. */
export function nameOfPipeline(file: string): string {
  const folder = dirname(resolve(file));
  const inside = existsSync(folder) ? relative(realpathSync(FOLDER), realpathSync(folder)) : "";
  return ownPipelines().includes(inside) && !inside.includes(sep) ? inside : file;
}
