import type { PipelineKey } from "../domain/pipeline.ts";
import { KubernetesClient } from "../runtime/kubernetes.ts";
import type { KubernetesConfig } from "../runtime/kubernetes-config.ts";
import { objectStatus } from "./object-status.ts";
import type { PipelineAdmission } from "./pipeline-admission.ts";
import type { PipelineSourcesOptions } from "./pipeline-sources.ts";
import { PipelineWatch, type WatchedKind } from "./pipeline-watch.ts";
import { StatusWriter } from "./status-writer.ts";

/** Pipelines that a cluster's objects describe. */
export interface WatchedPipelinesOptions {
  readonly config: KubernetesConfig;
  readonly namespaces: readonly string[];
  /** By InferencePipelines; their statuses are written. */
  readonly objects: boolean;
  /** By ConfigMaps with the label `variscale.dev/pipeline` and a key `pipeline.yaml`. */
  readonly configMaps: boolean;
  /** By ConfigMaps that ScaledObjects name in the annotation `variscale.dev/pipeline-configmap`. */
  readonly scaledObjects: boolean;
  /** Fields to replace in every one. */
  readonly set?: readonly string[];
}

export interface ClusterPipelines {
  /** When all that there was at the start is taken or refused. */
  readonly synced: Promise<void>;
  /** Why not all of them are followed; null: they are. */
  readonly problem: string | null;
  close(): Promise<void>;
}

const KINDS: Readonly<Record<WatchedKind, string>> = {
  object: "InferencePipelines",
  configmap: "ConfigMaps of pipelines",
  scaledobject: "ScaledObjects that name ConfigMaps of pipelines",
};

/** What is wrong is told again after so long. */
const EVENTS_EVERY_MS = 60_000;

/** Offers what describes pipelines in a cluster to `admission`, and writes what became of it, from now on. */
export function watchClusterPipelines(
  { core, isLeading, clock, logger }: PipelineSourcesOptions,
  { config, namespaces, objects, configMaps, scaledObjects, set = [] }: WatchedPipelinesOptions,
  admission: PipelineAdmission,
): ClusterPipelines {
  const { pipelines, boards, conditions, metrics } = core;
  const client = new KubernetesClient(config);
  const problems = new Map<WatchedKind, string | null>();
  const onProblem = (kind: WatchedKind, problem: string | null): void => {
    metrics.pipelinesWatched.set({ from: kind }, problem === null ? 1 : 0);
    const before = problems.get(kind) ?? null;
    problems.set(kind, problem);
    if (problem === before) return;
    if (problem === null) logger.info(`${KINDS[kind]} are watched again`);
    else logger.warn(`${KINDS[kind]} are not watched, and are tried again: ${problem}`);
  };
  // No pipeline has a condition of it, so the ScaledObjects that name it get the Event.
  const tellUnaccepted = (): void => {
    if (!isLeading()) return;
    for (const { naming, problem } of watch.unaccepted())
      for (const { namespace, name } of naming) core.cluster?.tellRefused({ namespace, name }, problem);
  };
  const watch = new PipelineWatch({
    ...{ client, namespaces, objects, configMaps, scaledObjects, set, admission, clock, onProblem },
    onUnaccepted: tellUnaccepted,
  });
  const stopTelling = clock.every(EVENTS_EVERY_MS, tellUnaccepted);
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
  const from = { objects, configMaps, scaledObjects };
  logger.info({ server: config.server, as: config.origin, namespaces, ...from }, "watching pipelines");
  return {
    synced: watch.synced,
    get problem() {
      for (const [kind, problem] of problems) if (problem !== null) return `${KINDS[kind]} are not watched: ${problem}`;
      return null;
    },
    close: async () => {
      stopTelling();
      watch.close();
      await writer.close();
      client.close();
    },
  };
}
