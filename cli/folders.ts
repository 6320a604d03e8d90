import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import { historyPath, modelPath, pipelineStatePath } from "../scaler/state-paths.ts";
import { nameOfPipeline } from "./own-pipelines.ts";

/** `$XDG_STATE_HOME/variscale`, or ~/.local/state/variscale. */
export function defaultStateFolder(env: NodeJS.ProcessEnv): string {
  return join(env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "variscale");
}

/** The state folder of `variscale up` for one pipeline file: two projects that call their pipelines alike share nothing. */
export function upStateFolder(env: NodeJS.ProcessEnv, file: string, key: PipelineKey): string {
  const all = defaultStateFolder(env);
  const place = createHash("sha256").update(realpathSync(file)).digest("hex").slice(0, 12);
  return join(all, "up", `${key.namespace}_${key.name}-${place}`);
}

/**
 * Gives a new state folder of `variscale up` what earlier versions kept of a pipeline of this name in the folder of all. This is done for one folder of a
 * name only: a pipeline file that is moved, or another one of this name, does not get the old state again. The caller holds the lock of the folder.
 */
export function adoptEarlierState(env: NodeJS.ProcessEnv, folder: string, key: PipelineKey): void {
  const all = defaultStateFolder(env);
  const marker = join(all, "up", `${key.namespace}_${key.name}.adopted`);
  const paths = [pipelineStatePath, historyPath, modelPath].filter(pathOf => existsSync(pathOf(all, key)));
  if (paths.length === 0 || existsSync(marker)) return;
  if (!existsSync(folder)) {
    // A copy that was broken off is never taken for the state.
    const copy = `${folder}.copy`;
    rmSync(copy, { recursive: true, force: true });
    for (const pathOf of paths) {
      const path = pathOf(copy, key);
      mkdirSync(dirname(path), { recursive: true });
      copyFileSync(pathOf(all, key), path);
    }
    renameSync(copy, folder);
  }
  mkdirSync(dirname(marker), { recursive: true });
  writeFileSync(marker, "");
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

/**
 * The folder with the models of a pipeline: the one that the user names, else `models` beside the pipeline file where it has any of them (`init` puts
 * them there), else the cache. Pipelines that come with the package keep their models in the cache: theirs is not written to.
 */
export function findModelFolder(
  env: NodeJS.ProcessEnv,
  named: string | undefined,
  pipeline: Pipeline,
  file: string,
): string {
  if (named !== undefined) return resolve(named);
  const beside = join(dirname(resolve(file)), "models");
  const isOurs = nameOfPipeline(file) !== file;
  const models = pipeline.stages.flatMap(({ variants }) => variants.filter(({ driver }) => driver === "onnx"));
  const hasAny = models.some(({ model }) => existsSync(join(beside, model)));
  return hasAny && !isOurs ? beside : resolve(defaultModelFolder(env, pipeline));
}

/** Where Python packages with models are fetched to. */
export function packageFolderOf(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), "packages");
}
