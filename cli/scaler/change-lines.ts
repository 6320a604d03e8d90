import { formatKey, type PipelineKey } from "../../domain/pipeline.ts";
import type { ChangeTextOptions } from "../../explanation/change-text.ts";

/** How commands tell a change: times in UTC. */
export function changeLines(key: PipelineKey, dryRun: boolean): ChangeTextOptions {
  const timeText = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d+Z$/, "Z");
  return { of: formatKey(key), dryRun, timeText };
}
