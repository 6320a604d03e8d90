import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import { type Admitted, PipelineAdmission } from "./pipeline-admission.ts";
import { type PipelineFile, watchPipelineFiles } from "./pipeline-files.ts";
import type { ScalerCore } from "./scaler-core.ts";

export interface PipelineSourcesOptions {
  readonly core: Pick<ScalerCore, "pipelines" | "conditions" | "metrics" | "cluster">;
  /** The scaler has started with them. */
  readonly files: readonly PipelineFile[];
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PipelineSources {
  /** Nothing changes any more. */
  close(): Promise<void>;
}

/** From now on pipelines follow what describes them. What is refused is a condition, an Event, a log line and a metric. */
export function startPipelineSources({ core, files, clock, logger }: PipelineSourcesOptions): PipelineSources {
  const { pipelines, conditions, metrics, cluster } = core;
  const onDecided = ({ origin, key, problem, change }: Admitted): void => {
    metrics.pipelineChanges.inc({ from: origin.kind, outcome: change });
    if (key === null) return;
    const said = problem === null ? null : `${origin.name} is refused and the last good one stays: ${problem}`;
    conditions.set(key, "Accepted", said, clock.nowMs());
    if (problem !== null) cluster?.tellUnaccepted(key, problem);
  };
  const admission = new PipelineAdmission({
    pipelines,
    logger,
    onDecided,
    onRefusedNow: (from, count) => metrics.pipelinesRefused.set({ from }, count),
  });
  for (const { pipeline } of files) conditions.set(pipeline.key, "Accepted", null, clock.nowMs());
  const stopFiles = watchPipelineFiles(files, admission, clock);
  return {
    close: async () => {
      stopFiles();
      await admission.close();
    },
  };
}
