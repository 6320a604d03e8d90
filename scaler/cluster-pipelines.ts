import type { PipelineKey } from "../domain/pipeline.ts";
import { KubernetesClient } from "../runtime/kubernetes.ts";
import type { KubernetesConfig } from "../runtime/kubernetes-config.ts";
import { objectStatus } from "./object-status.ts";
import type { PipelineAdmission } from "./pipeline-admission.ts";
import type { PipelineSourcesOptions } from "./pipeline-sources.ts";
import { PipelineWatch } from "./pipeline-watch.ts";
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

/** Offers what describes pipelines in a cluster to `admission`, and writes what became of it, from now on. */
export function watchClusterPipelines(
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
