import { VariscaleError } from "../../domain/errors.ts";
import { formatKey } from "../../domain/pipeline.ts";
import { readPipeline } from "../../runtime/read-pipeline.ts";
import { ownPipelines, pathOfPipeline } from "../own-pipelines.ts";
import { type ScalerAccess, ScalerClient } from "../scaler/scaler-client.ts";
import { changeTools } from "./change-tools.ts";
import { doctorTool } from "./doctor-tool.ts";
import { fileTools } from "./file-tools.ts";
import { runningTools } from "./running-tools.ts";
import type { Tool } from "./tool.ts";

export interface ToolsOptions {
  /** Pipeline files, or names of those that come with the package; empty: all of those. */
  readonly paths: readonly string[];
  readonly access: ScalerAccess;
  readonly allowChanges: boolean;
  /** Who runs the server. */
  readonly owner: string;
  /** Of the kubeconfig; null: nothing is asked of a cluster. */
  readonly context: string | null;
  readonly env: NodeJS.ProcessEnv;
}

/** @throws VariscaleError where a pipeline file can't be read, or two are of one pipeline. */
export function openTools({ paths, access, allowChanges, owner, context, env }: ToolsOptions): readonly Tool[] {
  const client = new ScalerClient(access);
  return [
    ...runningTools(client),
    ...fileTools(filesOf(paths.length > 0 ? paths : ownPipelines())),
    ...(context === null ? [] : [doctorTool(context, env)]),
    ...(allowChanges ? changeTools(client, owner) : []),
  ];
}

function filesOf(paths: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const path of paths.map(pathOfPipeline)) {
    const key = formatKey(readPipeline(path).key);
    const other = files.get(key);
    if (other !== undefined)
      throw new VariscaleError(
        "invalid_argument",
        `${other} and ${path} are both of pipeline ${key}: name one of them`,
      );
    files.set(key, path);
  }
  return files;
}
