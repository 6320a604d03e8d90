import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { formatKey, type Pipeline } from "../domain/pipeline.ts";

/** `$XDG_STATE_HOME/variscale`, or ~/.local/state/variscale. */
export function defaultStateFolder(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "variscale");
}

/** `$XDG_CACHE_HOME/variscale`, or ~/.cache/variscale. */
function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "variscale");
}

/**
 * Where the models of a pipeline are prepared when the user names no folder: one for each set of model files, so that two versions
 * of a pipeline never write over each other's.
 */
export function defaultModelFolder(env: NodeJS.ProcessEnv, { key, stages }: Pipeline): string {
  const files = stages.flatMap(({ variants }) =>
    variants.flatMap(({ model, sha256 }) => (sha256 === null ? [] : [`${model} ${sha256}`])),
  );
  const content = createHash("sha256").update(files.sort().join("\n")).digest("hex");
  return join(cacheFolder(env), "models", `${formatKey(key)}-${content.slice(0, 12)}`);
}

/** Where Python packages with models are fetched to. */
export function packageFolderOf(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), "packages");
}
