import { homedir } from "node:os";
import { join } from "node:path";
import { formatKey, type PipelineKey } from "../domain/pipeline.ts";

/** `$XDG_STATE_HOME/variscale`, or ~/.local/state/variscale. */
export function defaultStateFolder(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "variscale");
}

/** `$XDG_CACHE_HOME/variscale`, or ~/.cache/variscale. */
function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "variscale");
}

/** Where the models of a pipeline are prepared when the user names no folder. */
export function defaultModelFolder(env: NodeJS.ProcessEnv, key: PipelineKey): string {
  return join(cacheFolder(env), "models", formatKey(key));
}
