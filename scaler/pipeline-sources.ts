import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import type { WatchedPipelinesOptions } from "./cluster-pipelines.ts";
import { type Admitted, PipelineAdmission } from "./pipeline-admission.ts";
import { type PipelineFile, watchPipelineFiles } from "./pipeline-files.ts";
import type { ScalerCore } from "./scaler-core.ts";

export interface PipelineSourcesOptions {
  readonly core: Pick<ScalerCore, "pipelines" | "boards" | "conditions" | "metrics" | "cluster">;
  /** The scaler has started with them. */
  readonly files: readonly PipelineFile[];
  /** Null: no cluster describes any. */
  readonly watched: WatchedPipelinesOptions | null;
  readonly isLeading: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface PipelineSources {
  /** When all that there was at the start is taken or refused; null: it is. */
  readonly synced: Promise<void> | null;
  /** What of the cluster describes pipelines, as `--pipelines-from` names it. */
  readonly from: readonly string[];
  /** Why not all of what describes pipelines is followed; null: it is. */
  readonly problem: string | null;
  /** All pipelines that are described are there: all of what describes them is followed, and something of each was taken. */
  readonly isComplete: boolean;
  /** Nothing changes any more. */
  close(): Promise<void>;
}

/** From now on pipelines follow what describes them. What is refused is a condition, an Event, a log line and a metric. */
export async function startPipelineSources(options: PipelineSourcesOptions): Promise<PipelineSources> {
  const { core, files, clock, logger } = options;
  const { pipelines, conditions, metrics, cluster } = core;
  const onDecided = ({ origin, key, problem, change }: Admitted): void => {
    metrics.pipelineChanges.inc({ from: origin.kind, outcome: change });
    if (key === null) return;
    const said = problem === null ? null : `${origin.name} is refused and the last good one stays: ${problem}`;
    conditions.set(key, "Accepted", said, clock.nowMs());
    cluster?.setUnaccepted(key, problem);
  };
  const admission = new PipelineAdmission({
    pipelines,
    logger,
    onDecided,
    onRefusedNow: (from, count) => metrics.pipelinesRefused.set({ from }, count),
  });
  for (const { pipeline } of files) conditions.set(pipeline.key, "Accepted", null, clock.nowMs());
  const stopFiles = watchPipelineFiles(files, admission, clock);
  const watched =
    options.watched &&
    (await import("./cluster-pipelines.ts")).watchClusterPipelines(options, options.watched, admission);
  return {
    synced: watched?.synced ?? null,
    from: options.watched ? namesOf(options.watched) : [],
    get problem() {
      return watched?.problem ?? null;
    },
    get isComplete() {
      return (watched?.problem ?? null) === null && admission.isComplete;
    },
    close: async () => {
      stopFiles();
      await watched?.close();
      await admission.close();
    },
  };
}

function namesOf({ objects, configMaps, scaledObjects }: WatchedPipelinesOptions): readonly string[] {
  const named = { crd: objects, configmaps: configMaps, scaledobjects: scaledObjects };
  return Object.entries(named).flatMap(([name, isWatched]) => (isWatched ? [name] : []));
}
