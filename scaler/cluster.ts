import type { Logger } from "pino";
import type { PipelineBoard } from "../control/board.ts";
import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import { KubernetesClient } from "../runtime/kubernetes.ts";
import type { KubernetesConfig } from "../runtime/kubernetes-config.ts";
import { eventsOf, eventsOfStuck, eventsOfWhole } from "./board-events.ts";
import type { Clock } from "./clock.ts";
import { EventRecorder } from "./event-recorder.ts";
import { KubernetesView } from "./kubernetes-view.ts";
import { boundsOf, type LiveInput, type LivePipeline, scalingOf } from "./live-pipeline.ts";
import type { ProcessConditions } from "./process-conditions.ts";
import type { OnRefused, ScaledObjectName } from "./refusals.ts";
import { StuckPods } from "./stuck-pods.ts";

/** What is wrong with a pipeline is told again after so long. */
const EVENTS_EVERY_MS = 60_000;

/** The API server to look at, and how. */
export interface ClusterOptions {
  readonly config: KubernetesConfig;
  /** Of the cluster's HPAs that name none: 0.1 unless kube-controller-manager was told otherwise. */
  readonly hpaTolerance: number;
  /** Name of this process among its like: the pod's. */
  readonly instance: string;
}

/** The scaler's side of a Kubernetes cluster: what it sees of it, and the Events that it writes there. */
export interface Cluster {
  /** Looks at the namespaces of the pipelines that there are now, and no longer at others. */
  look(): void;
  /** From memory. */
  live(key: PipelineKey): LiveInput;
  /**
   * Says what is wrong: conditions every time, Events now and then. The one of several scalers that decides does so.
   *
   * @param stuck stages whose replicas do not come.
   */
  observe(pipeline: Pipeline, board: PipelineBoard, stuck: readonly string[], nowMs: number): void;
  readonly onRefused: OnRefused;
  /** Why what now describes a pipeline is not taken, which `observe` says in Events of its ScaledObjects; null: it is. */
  setUnaccepted(key: PipelineKey, problem: string | null): void;
  /** Says in an Event of a ScaledObject that the pipeline that it names was never taken. */
  tellRefused(scaledObject: ScaledObjectName, problem: string): void;
  close(): void;
}

export interface ClusterContext {
  /** Those that there are now. */
  readonly pipelines: () => readonly Pipeline[];
  readonly conditions: ProcessConditions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEventWritten: (ok: boolean) => void;
}

/** Starts to watch; it does not wait for the API server. */
export function startCluster(options: ClusterOptions, context: ClusterContext): Cluster {
  const { pipelines, conditions, clock, logger } = context;
  const client = new KubernetesClient(options.config);
  const nowMs = () => clock.nowMs();
  const view = new KubernetesView({ client, nowMs, random: Math.random });
  /** Namespaces whose pods can't be listed. */
  const unlisted = new Set<string>();
  const stuckPods = new StuckPods({
    client,
    nowMs,
    onList: (namespace, problem) => {
      if (problem === null) unlisted.delete(namespace);
      else if (!unlisted.has(namespace)) {
        unlisted.add(namespace);
        logger.warn({ namespace }, `why pods do not become ready can't be said: ${problem}`);
      }
    },
  });
  const events = new EventRecorder({
    client,
    instance: options.instance,
    nowMs,
    onWrite: (namespace, problem) => {
      context.onEventWritten(problem === null);
      for (const { key } of pipelines())
        if (key.namespace === namespace) conditions.set(key, "EventsWritten", problem, nowMs());
    },
  });
  logger.info({ server: options.config.server, as: options.config.origin }, "watching Kubernetes");
  const toldAtMs = new Map<string, number>();
  const unaccepted = new Map<string, string>();
  const isOurs = (namespace: string): boolean => pipelines().some(({ key }) => key.namespace === namespace);
  return {
    look: () => {
      const keys = pipelines().map(({ key }) => key);
      view.look(new Set(keys.map(({ namespace }) => namespace)));
      const known = new Set(keys.map(formatKey));
      for (const told of [toldAtMs, unaccepted]) for (const key of told.keys()) if (!known.has(key)) told.delete(key);
      for (const key of stuckPods.known) if (!known.has(key)) stuckPods.forget(key);
    },
    live: key => ({ ...liveInput(view.live(key), options.hpaTolerance), unready: stuckPods.of(key) }),
    observe: (pipeline, board, stuck, atMs) => {
      const problem = view.problem(pipeline.key);
      conditions.set(pipeline.key, "KubernetesWatched", problem, atMs);
      conditions.set(pipeline.key, "ScaledObjectsFound", view.scaledObjectsProblem(pipeline), atMs);
      stuckPods.look(pipeline.key, problem === null ? view.live(pipeline.key) : {}, stuck);
      if (problem !== null || Math.abs(atMs - (toldAtMs.get(formatKey(pipeline.key)) ?? 0)) < EVENTS_EVERY_MS) return;
      const live = view.live(pipeline.key);
      const found = [
        ...eventsOfWhole(pipeline, live, {
          refusal: unaccepted.get(formatKey(pipeline.key)) ?? null,
          unusableState: conditions.problem(pipeline.key, "StateUsable"),
        }),
        ...eventsOf(pipeline, board, live, options.hpaTolerance),
        ...eventsOfStuck(pipeline, live, stuckPods.troubles(pipeline.key)),
      ];
      if (found.length > 0) toldAtMs.set(formatKey(pipeline.key), atMs);
      for (const event of found) events.tell(event);
    },
    onRefused: (scaledObject, { reason, message }) => {
      // Elsewhere there is no right to write any; the log tells of it.
      if (!isOurs(scaledObject.namespace)) return;
      events.tell({ scaledObject, type: "Warning", reason: `Variscale${reason}`, note: message });
    },
    setUnaccepted: (key, problem) => {
      if (problem === null) unaccepted.delete(formatKey(key));
      else unaccepted.set(formatKey(key), problem);
      // It is news, whatever was told just now.
      toldAtMs.delete(formatKey(key));
    },
    tellRefused: (scaledObject, problem) =>
      events.tell({ scaledObject, type: "Warning", reason: "VariscalePipelineRefused", note: problem }),
    close: () => {
      view.close();
      stuckPods.close();
      events.close();
      client.close();
    },
  };
}

function liveInput(live: LivePipeline, hpaTolerance: number): LiveInput {
  const bounds: Record<string, LiveInput["bounds"][string]> = {};
  const scaling: Record<string, LiveInput["scaling"][string]> = {};
  const readyReplicas: Record<string, number> = {};
  for (const [name, stage] of Object.entries(live)) {
    bounds[name] = boundsOf(stage);
    const found = scalingOf(stage, hpaTolerance);
    if (found) scaling[name] = found;
    if (stage.target) readyReplicas[name] = stage.target.ready;
  }
  return { bounds, scaling, readyReplicas, liveReplicas: readyReplicas };
}
