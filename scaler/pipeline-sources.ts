import type { Logger } from "pino";
import type { PipelineKey } from "../domain/pipeline.ts";
import { KubernetesClient } from "../runtime/kubernetes.ts";
import type { KubernetesConfig } from "../runtime/kubernetes-config.ts";
import type { Clock } from "./clock.ts";
import { objectStatus } from "./object-status.ts";
import { type Admitted, PipelineAdmission } from "./pipeline-admission.ts";
import { type PipelineFile, watchPipelineFiles } from "./pipeline-files.ts";
import { PipelineWatch } from "./pipeline-watch.ts";
import type { ScalerCore } from "./scaler-core.ts";
import { StatusWriter } from "./status-writer.ts";

/** Pipelines that a cluster's objects describe. */
export interface WatchedPipelinesOptions {
  readonly config: KubernetesConfig;
  readonly namespaces: readonly string[];
  /** By InferencePipelines; their statuses are written. */
  readonly objects: boolean;
  /** By ConfigMaps with the label `variscale.dev/pipeline` and a key `pipeline.yaml`. */
  readonly configMaps: boolean;
  /** Fields to replace in every one. */
  readonly set?: readonly string[];
}

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
  /** Nothing changes any more. */
  close(): Promise<void>;
}

/** From now on pipelines follow what describes them. What is refused is a condition, an Event, a log line and a metric. */
export function startPipelineSources(options: PipelineSourcesOptions): PipelineSources {
  const { core, files, clock, logger } = options;
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
  const watched = options.watched && startWatch(options, options.watched, admission);
  return {
    synced: watched?.synced ?? null,
    close: async () => {
      stopFiles();
      await watched?.close();
      await admission.close();
    },
  };
}

function startWatch(
  { core, isLeading, clock, logger }: PipelineSourcesOptions,
  { config, namespaces, objects, configMaps, set = [] }: WatchedPipelinesOptions,
  admission: PipelineAdmission,
): { readonly synced: Promise<void>; close(): Promise<void> } {
  const { pipelines, boards, conditions, metrics } = core;
  const client = new KubernetesClient(config);
  let problemBefore: string | null = null;
  const onProblem = (problem: string | null): void => {
    if (problem === problemBefore) return;
    problemBefore = problem;
    if (problem === null) logger.info("the pipelines of the cluster are watched again");
    else logger.warn(`the pipelines of the cluster are not watched: ${problem}`);
  };
  const watch = new PipelineWatch({
    ...{ client, namespaces, objects, configMaps, set, admission, clock, onProblem },
  });
  const onWrite = (key: PipelineKey, problem: string | null): void => {
    metrics.statusWrites.inc({ outcome: problem === null ? "ok" : "failed" });
    if (pipelines.find(key)) conditions.set(key, "StatusWritten", problem, clock.nowMs());
    else if (problem !== null) logger.warn(problem);
  };
  const writer = new StatusWriter({
    client,
    clock,
    isLeading,
    onWrite,
    objects: () => watch.objects(),
    statusOf: watched => {
      const key = watched.admitted?.key ?? null;
      return objectStatus(watched, key && boards.latest(key), key ? conditions.of(key) : []);
    },
  });
  logger.info({ server: config.server, as: config.origin, namespaces, objects, configMaps }, "watching pipelines");
  return {
    synced: watch.synced,
    close: async () => {
      watch.close();
      await writer.close();
      client.close();
    },
  };
}
