import { isDeepStrictEqual } from "node:util";
import type { KubernetesClient } from "../runtime/kubernetes.ts";
import { RESOURCES } from "../runtime/kubernetes-resource.ts";
import { type KubernetesWatch, startKubernetesWatch } from "../runtime/kubernetes-watch.ts";
import type { Clock } from "./clock.ts";
import {
  type ConfigMapFiles,
  configMapFiles,
  describeConfigMap,
  describeNamed,
  describeObject,
  type NamingObject,
  namingObject,
  PIPELINE_KEY,
  PIPELINE_LABEL,
  type PipelineObject,
  pipelineObject,
  problemOfStranger,
  strangersTo,
} from "./described-pipeline.ts";
import { MOST_NAMED, NamedConfigMaps } from "./named-config-maps.ts";
import type { Admitted, PipelineAdmission, PipelineDescription, PipelineOrigin } from "./pipeline-admission.ts";

/**
 * InferencePipelines; ConfigMaps: those that describe pipelines and those that hold their files; ScaledObjects that name such ConfigMaps.
 */
export type WatchedKind = Exclude<PipelineOrigin["kind"], "file"> | "scaledobject";

export interface PipelineWatchOptions {
  readonly client: KubernetesClient;
  readonly namespaces: readonly string[];
  /** Which kinds describe pipelines. */
  readonly objects: boolean;
  readonly configMaps: boolean;
  readonly scaledObjects: boolean;
  /** Fields to replace in every one, as `readPipeline` takes them. */
  readonly set: readonly string[];
  readonly admission: PipelineAdmission;
  readonly clock: Clock;
  /** Called when there is more that `unaccepted` gives. */
  readonly onUnaccepted: () => void;
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

/** ScaledObjects that name what was never taken, or what is another pipeline than theirs, and what is wrong. */
export interface UnacceptedName {
  readonly naming: readonly NamingObject[];
  readonly problem: string;
}

interface Followed {
  readonly origin: PipelineOrigin;
  unaccepted: readonly UnacceptedName[];
  /** What was offered last. */
  seen: readonly unknown[];
  watched: WatchedObject | null;
}

interface Namespace {
  readonly objects: KubernetesWatch<PipelineObject> | null;
  /** Those with the label. */
  readonly configMaps: KubernetesWatch<ConfigMapFiles> | null;
  readonly scaledObjects: KubernetesWatch<NamingObject> | null;
  /** Those that ScaledObjects name. */
  readonly named: NamedConfigMaps;
  readonly followed: Map<string, Followed>;
}

/**
 * Offers the pipelines of a cluster's namespaces, as InferencePipelines, ConfigMaps and ConfigMaps that ScaledObjects name describe them,
 * and withdraws those that go. What was seen last stays while the API server can't be reached. Where it does not have the kind of the objects there are none of it until it has.
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

  unaccepted(): readonly UnacceptedName[] {
    return [...this.#namespaces.values()].flatMap(({ followed }) =>
      [...followed.values()].flatMap(({ unaccepted }) => unaccepted),
    );
  }

  close(): void {
    for (const namespace of this.#namespaces.values())
      for (const watch of [namespace.objects, namespace.configMaps, namespace.scaledObjects, namespace.named])
        watch?.close();
  }

  #watch(namespace: string): void {
    const { client, clock, objects, configMaps, scaledObjects } = this.#options;
    const onChange = () => this.#look(namespace);
    const common = { client, namespace, onChange, nowMs: () => clock.nowMs(), random: Math.random };
    const labelled = { ...common, resource: RESOURCES.configMaps, selector: { label: PIPELINE_LABEL } };
    this.#namespaces.set(namespace, {
      objects: objects
        ? startKubernetesWatch({ ...common, resource: RESOURCES.inferencePipelines, project: pipelineObject })
        : null,
      configMaps: objects || configMaps ? startKubernetesWatch({ ...labelled, project: configMapFiles }) : null,
      scaledObjects: scaledObjects
        ? startKubernetesWatch({ ...common, resource: RESOURCES.scaledObjects, project: namingObject })
        : null,
      named: new NamedConfigMaps(common),
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
      const files = configMaps?.objects.get(`${object.namespace}/${object.files}`);
      there.add(origin.name);
      this.#follow(followed, origin, [object, files], object, () => describeObject(object, files, this.#options.set));
    }
    for (const files of (this.#options.configMaps && configMaps?.objects.values()) || []) {
      if (!Object.hasOwn(files.data, PIPELINE_KEY)) continue;
      const origin = originOf(files.namespace, files.name);
      there.add(origin.name);
      this.#follow(followed, origin, [files], null, () => describeConfigMap(files, this.#options.set));
    }
    this.#lookAtNamed(name, namespace, there);
    // What is about to be known may take the place of what goes.
    for (const [key, { origin }] of namespace.named.areKnown ? followed : []) {
      if (there.has(key)) continue;
      followed.delete(key);
      void this.#options.admission.withdraw(origin);
    }
    const all = [...this.#namespaces.values()];
    if (all.every(one => isListed(one) && one.named.areKnown)) void Promise.all(this.#offers).then(this.#resolveSynced);
  }

  /** What ScaledObjects name, but for what is offered by its label already. */
  #lookAtNamed(name: string, { scaledObjects, named, followed }: Namespace, there: Set<string>): void {
    const naming = new Map<string, NamingObject[]>();
    for (const object of [...(scaledObjects?.objects.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1)))
      naming.set(object.configMap, [...(naming.get(object.configMap) ?? []), object]);
    named.look(new Set(naming.keys()));
    for (const [configMap, objects] of naming) {
      const origin = originOf(name, configMap);
      if (there.has(origin.name)) continue;
      there.add(origin.name);
      if (!named.isKnown(configMap)) continue;
      const files = named.get(configMap);
      const tooMany = named.isWatched(configMap) ? null : MOST_NAMED;
      const describe = () => describeNamed(objects, files, this.#options.set, tooMany);
      this.#follow(followed, origin, [objects, files, tooMany], null, describe, objects);
    }
  }

  /** Offers it where it is another than what was offered last. */
  #follow(
    all: Map<string, Followed>,
    origin: PipelineOrigin,
    seen: readonly unknown[],
    object: PipelineObject | null,
    describe: () => PipelineDescription,
    naming: readonly NamingObject[] = [],
  ): void {
    const before = all.get(origin.name);
    if (before && isDeepStrictEqual(before.seen, seen)) return;
    const watched = object && {
      object,
      admitted: null,
      acceptedGeneration: before?.watched?.acceptedGeneration ?? null,
      decidedAtMs: this.#options.clock.nowMs(),
    };
    const followed: Followed = { origin, seen, watched, unaccepted: [] };
    all.set(origin.name, followed);
    const offer = this.#options.admission.offer(origin, describe(), admitted => {
      followed.unaccepted = unacceptedOf(naming, admitted);
      if (followed.unaccepted.length > 0) this.#options.onUnaccepted();
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
    const tell = (kind: WatchedKind, watches: readonly ({ readonly problem: string | null } | null)[]): void =>
      this.#options.onProblem(kind, watches.find(watch => watch && watch.problem !== null)?.problem ?? null);
    if (this.#options.objects)
      tell(
        "object",
        all.map(({ objects }) => objects),
      );
    if (this.#options.scaledObjects)
      tell(
        "scaledobject",
        all.map(({ scaledObjects }) => scaledObjects),
      );
    tell(
      "configmap",
      all.flatMap(({ configMaps, named }) => [configMaps, named]),
    );
  }
}

function unacceptedOf(naming: readonly NamingObject[], { key, problem }: Admitted): readonly UnacceptedName[] {
  if (key === null) return naming.length > 0 && problem !== null ? [{ naming, problem }] : [];
  // The pipeline's condition says it.
  if (problem !== null) return [];
  return strangersTo(key.name, naming).map(one => ({ naming: [one], problem: problemOfStranger(key.name, one) }));
}

function originOf(namespace: string, configMap: string): PipelineOrigin {
  return { kind: "configmap", name: `ConfigMap ${namespace}/${configMap}` };
}

/** All that describes pipelines in it was seen, as far as there can be any. */
function isListed({ objects, configMaps, scaledObjects }: Namespace): boolean {
  const isOver = (watch: KubernetesWatch<unknown> | null) => watch === null || watch.synced || watch.isMissing;
  return configMaps?.synced !== false && isOver(objects) && isOver(scaledObjects);
}
