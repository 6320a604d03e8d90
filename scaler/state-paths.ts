import { join } from "node:path";
import type { PipelineKey } from "../domain/pipeline.ts";

/** Plans, pins and what the forecaster learnt of one pipeline. */
export function pipelineStatePath(stateDir: string, key: PipelineKey): string {
  return join(stateDir, "pipelines", `${fileName(key)}.json`);
}

/** What ticks of the pipeline could not go on from, the first time. */
export function unusableStatePath(stateDir: string, key: PipelineKey): string {
  return `${pipelineStatePath(stateDir, key)}.unusable`;
}

/** Ten-second cells of its load. */
export function historyPath(stateDir: string, key: PipelineKey): string {
  return join(stateDir, "history", `${fileName(key)}.cells`);
}

/** The forecast model of its own. */
export function modelPath(stateDir: string, key: PipelineKey): string {
  return join(stateDir, "models", `${fileName(key)}.json`);
}

/** Names hold no `_`, so no two pipelines have one file. */
function fileName(key: PipelineKey): string {
  return `${key.namespace}_${key.name}`;
}
