import { isDeepStrictEqual } from "node:util";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import { type KubernetesWatch, startKubernetesWatch } from "../runtime/kubernetes-watch.ts";
import type { Clock } from "./clock.ts";
import {
  type ConfigMapFiles,
  configMapFiles,
  describeConfigMap,
  describeObject,
  PIPELINE_KEY,
  PIPELINE_LABEL,
  type PipelineObject,
  pipelineObject,
} from "./described-pipeline.ts";
import type { Admitted, PipelineAdmission, PipelineDescription, PipelineOrigin } from "./pipeline-admission.ts";

/** InferencePipelines, or ConfigMaps: those that describe pipelines and those that hold their files. */
export type WatchedKind = Exclude<PipelineOrigin["kind"], "file">;

export interface PipelineWatchOptions {
  readonly client: KubernetesClient;
  readonly namespaces: readonly string[];
  /** Which kinds describe pipelines. */
  readonly objects: boolean;
  readonly configMaps: boolean;
  /** Fields to replace in every one, as `readPipeline` takes them. */
  readonly set: readonly string[];
  readonly admission: PipelineAdmission;
  readonly clock: Clock;
  /** Told of what the watches of a kind can't do; null: all are up to date. */
  readonly onProblem: (kind: WatchedKind, problem: string | null) => void;
}

/** An InferencePipeline, and what became of it. */
export interface WatchedObject {
  readonly object: PipelineObject;
  /** Null: it is not decided yet. */
  readonly admitted: Admitted | null;
  /** Of the spec that is served; null: none is. */
  readonly acceptedGeneration: number | null;
  readonly decidedAtMs: number;
}

interface Followed {
  readonly origin: PipelineOrigin;
  /** What was offered last. */
  seen: readonly unknown[];
  watched: WatchedObject | null;
}

interface Namespace {
  readonly objects: KubernetesWatch<PipelineObject> | null;
  readonly configMaps: KubernetesWatch<ConfigMapFiles>;
  readonly followed: Map<string, Followed>;
}

/**
 * Offers the pipelines of a cluster's namespaces, as InferencePipelines and ConfigMaps describe them, and withdraws those that go. What
 * was seen last stays while the API server can't be reached. Where it does not have the kind of the objects there are none of it until it has.
 */
export class PipelineWatch {
  /** When everything that there was has been offered and decided. */
  readonly synced: Promise<void>;
  readonly #options: PipelineWatchOptions;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #resolveSynced: () => void;
  readonly #offers = new Set<Promise<void>>();

  constructor(options: PipelineWatchOptions) {
    this.#options = options;
    let resolveSynced = (): void => undefined;
    this.synced = new Promise(resolve => {
      resolveSynced = resolve;
    });
    this.#resolveSynced = resolveSynced;
    for (const namespace of options.namespaces) this.#watch(namespace);
  }

  objects(): readonly WatchedObject[] {
    return [...this.#namespaces.values()].flatMap(({ followed }) =>
      [...followed.values()].flatMap(({ watched }) => watched ?? []),
    );
  }

  close(): void {
    for (const { objects, configMaps } of this.#namespaces.values()) {
      objects?.close();
      configMaps.close();
    }
  }

  #watch(namespace: string): void {
    const { client, clock } = this.#options;
    const onChange = () => this.#look(namespace);
    const common = { client, namespace, onChange, nowMs: () => clock.nowMs(), random: Math.random };
    this.#namespaces.set(namespace, {
      objects: this.#options.objects
        ? startKubernetesWatch({ ...common, resource: RESOURCES.inferencePipelines, project: pipelineObject })
        : null,
      configMaps: startKubernetesWatch({
        ...common,
        resource: RESOURCES.configMaps,
        labelSelector: PIPELINE_LABEL,
        project: configMapFiles,
      }),
      followed: new Map(),
    });
  }

  #look(name: string): void {
    const namespace = this.#namespaces.get(name);
    if (!namespace) return;
    this.#tellProblem();
    const { objects, configMaps, followed } = namespace;
    if (!isListed(namespace)) return;
    const there = new Set<string>();
    for (const object of objects?.objects.values() ?? []) {
      const origin: PipelineOrigin = { kind: "object", name: `InferencePipeline ${object.namespace}/${object.name}` };
      const files = configMaps.objects.get(`${object.namespace}/${object.files}`);
      there.add(origin.name);
      this.#follow(followed, origin, [object, files], object, () => describeObject(object, files, this.#options.set));
    }
    for (const files of this.#options.configMaps ? configMaps.objects.values() : []) {
      if (!Object.hasOwn(files.data, PIPELINE_KEY)) continue;
      const origin: PipelineOrigin = { kind: "configmap", name: `ConfigMap ${files.namespace}/${files.name}` };
      there.add(origin.name);
      this.#follow(followed, origin, [files], null, () => describeConfigMap(files, this.#options.set));
    }
    for (const [key, { origin }] of followed) {
      if (there.has(key)) continue;
      followed.delete(key);
      void this.#options.admission.withdraw(origin);
    }
    const all = [...this.#namespaces.values()];
    if (all.every(isListed)) void Promise.all(this.#offers).then(this.#resolveSynced);
  }

  /** Offers it where it is another than what was offered last. */
  #follow(
    all: Map<string, Followed>,
    origin: PipelineOrigin,
    seen: readonly unknown[],
    object: PipelineObject | null,
    describe: () => PipelineDescription,
  ): void {
    const before = all.get(origin.name);
    if (before && isDeepStrictEqual(before.seen, seen)) return;
    const watched = object && {
      object,
      admitted: null,
      acceptedGeneration: before?.watched?.acceptedGeneration ?? null,
      decidedAtMs: this.#options.clock.nowMs(),
    };
    const followed: Followed = { origin, seen, watched };
    all.set(origin.name, followed);
    const offer = this.#options.admission.offer(origin, describe(), admitted => {
      if (!object || !followed.watched) return;
      const { acceptedGeneration } = all.get(origin.name)?.watched ?? followed.watched;
      followed.watched = {
        object,
        admitted,
        acceptedGeneration: admitted.problem === null ? object.generation : acceptedGeneration,
        decidedAtMs: this.#options.clock.nowMs(),
      };
    });
    this.#offers.add(offer);
    void offer.finally(() => this.#offers.delete(offer));
  }

  #tellProblem(): void {
    const all = [...this.#namespaces.values()];
    const tell = (kind: WatchedKind, watches: readonly (KubernetesWatch<unknown> | null)[]): void =>
      this.#options.onProblem(kind, watches.find(watch => watch && watch.problem !== null)?.problem ?? null);
    if (this.#options.objects)
      tell(
        "object",
        all.map(({ objects }) => objects),
      );
    tell(
      "configmap",
      all.map(({ configMaps }) => configMaps),
    );
  }
}

/** All that describes pipelines in it was seen, as far as there can be any. */
function isListed({ objects, configMaps }: Namespace): boolean {
  return configMaps.synced && (objects === null || objects.synced || objects.isMissing);
}
