import { formatKey, type Pipeline, type PipelineKey } from "../domain/pipeline.ts";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import { type KubernetesWatch, startKubernetesWatch } from "../runtime/kubernetes-watch.ts";
import {
  type AutoscalerView,
  autoscalerView,
  type ScaledObjectView,
  scaledObjectView,
  type TargetView,
  targetView,
} from "./kubernetes-objects.ts";
import type { LivePipeline, LiveStage } from "./live-pipeline.ts";

/** Without a word from the API server for so long, what was seen is stale. Watches are opened anew every 90 s. */
const STALE_AFTER_MS = 180_000;

export interface KubernetesViewOptions {
  readonly client: KubernetesClient;
  readonly nowMs: () => number;
  /** 0 to 1; spreads reconnections. */
  readonly random: () => number;
}

interface NamespaceView {
  readonly scaledObjects: KubernetesWatch<ScaledObjectView>;
  readonly autoscalers: KubernetesWatch<AutoscalerView>;
  /** Opened for the kinds that ScaledObjects scale. */
  readonly targets: Map<"deployments" | "statefulsets", KubernetesWatch<TargetView>>;
}

/**
 * Watches the ScaledObjects of the pipelines' namespaces, their HPAs and what they scale. It answers from memory: what was seen last
 * stays while the API server can't be reached.
 */
export class KubernetesView {
  readonly #options: KubernetesViewOptions;
  readonly #namespaces = new Map<string, NamespaceView>();
  /** By pipeline, then by stage. */
  #scaledObjects: ReadonlyMap<string, ReadonlyMap<string, ScaledObjectView>> = new Map();
  #isClosed = false;

  constructor(options: KubernetesViewOptions) {
    this.#options = options;
  }

  /** Watches these namespaces from now on, and no others. */
  look(namespaces: ReadonlySet<string>): void {
    if (this.#isClosed) return;
    for (const [name, namespace] of this.#namespaces) {
      if (namespaces.has(name)) continue;
      closeAll(namespace);
      this.#namespaces.delete(name);
    }
    for (const name of namespaces) {
      if (this.#namespaces.has(name)) continue;
      this.#namespaces.set(name, {
        scaledObjects: this.#watch(name, RESOURCES.scaledObjects, scaledObjectView, () => this.#index()),
        autoscalers: this.#watch(name, RESOURCES.autoscalers, autoscalerView, () => undefined),
        targets: new Map(),
      });
    }
    this.#index();
  }

  /** What was seen of a pipeline's stages. */
  live(key: PipelineKey): LivePipeline {
    const namespace = this.#namespaces.get(key.namespace);
    const stages: Record<string, LiveStage> = {};
    for (const [stage, scaledObject] of this.#scaledObjects.get(formatKey(key)) ?? []) {
      const { plural, name } = scaledObject.target;
      stages[stage] = {
        scaledObject,
        autoscaler: namespace?.autoscalers.objects.get(`${key.namespace}/${scaledObject.hpa}`) ?? null,
        target: (plural && namespace?.targets.get(plural)?.objects.get(`${key.namespace}/${name}`)) ?? null,
      };
    }
    return stages;
  }

  /** Why what live() gives is not up to date; null: it is. */
  problem(key: PipelineKey): string | null {
    const namespace = this.#namespaces.get(key.namespace);
    if (!namespace) return null;
    const watches = [namespace.scaledObjects, namespace.autoscalers, ...namespace.targets.values()];
    const nowMs = this.#options.nowMs();
    for (const { problem, contactAtMs } of watches) {
      if (problem !== null) return `${problem} The last known bounds stay.`;
      if (contactAtMs !== null && nowMs - contactAtMs > STALE_AFTER_MS)
        return `the API server was last heard ${Math.round((nowMs - contactAtMs) / 1000)} s ago; the last known bounds stay`;
    }
    return null;
  }

  /** What is wrong with the ScaledObjects of a pipeline; null: nothing, or they were not listed yet. */
  scaledObjectsProblem({ key, stages }: Pipeline): string | null {
    if (!this.#namespaces.get(key.namespace)?.scaledObjects.synced) return null;
    const found = this.#scaledObjects.get(formatKey(key));
    const missing = stages.filter(stage => !found?.has(stage.name)).map(stage => stage.name);
    if (missing.length === 0) return null;
    return `no ScaledObject in namespace ${key.namespace} has a trigger for ${missing.join(", ")} of ${key.name}: KEDA scales them not; \`variscale manifests\` writes one`;
  }

  close(): void {
    this.#isClosed = true;
    for (const namespace of this.#namespaces.values()) closeAll(namespace);
  }

  #watch<T>(
    namespace: string,
    resource: (typeof RESOURCES)[keyof typeof RESOURCES],
    project: (object: unknown) => T | null,
    onChange: () => void,
  ): KubernetesWatch<T> {
    const { client, nowMs, random } = this.#options;
    return startKubernetesWatch({ client, resource, namespace, project, onChange, nowMs, random });
  }

  #index(): void {
    const byPipeline = new Map<string, Map<string, ScaledObjectView>>();
    for (const [name, namespace] of this.#namespaces) {
      // Where two name the same stage the first by name is looked at; `doctor` tells of the other.
      const sorted = [...namespace.scaledObjects.objects.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const scaledObject of sorted) {
        const key = formatKey(scaledObject.pipeline);
        const stages = byPipeline.get(key) ?? new Map<string, ScaledObjectView>();
        byPipeline.set(key, stages);
        if (!stages.has(scaledObject.stage)) stages.set(scaledObject.stage, scaledObject);
        this.#watchTargets(name, namespace, scaledObject.target.plural);
      }
    }
    this.#scaledObjects = byPipeline;
  }

  #watchTargets(name: string, { targets }: NamespaceView, plural: "deployments" | "statefulsets" | null): void {
    if (plural === null || targets.has(plural) || this.#isClosed) return;
    const resource = plural === "deployments" ? RESOURCES.deployments : RESOURCES.statefulSets;
    targets.set(
      plural,
      this.#watch(name, resource, targetView, () => undefined),
    );
  }
}

function closeAll({ scaledObjects, autoscalers, targets }: NamespaceView): void {
  for (const watch of [scaledObjects, autoscalers, ...targets.values()]) watch.close();
}
