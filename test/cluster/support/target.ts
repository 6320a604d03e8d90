import assert from "node:assert/strict";
import type { Cluster } from "./cluster.ts";
import type { Json } from "./kubernetes-api.ts";
import { until } from "./until.ts";

export interface TargetOptions {
  readonly namespace: string;
  /** Of the Deployment and its ScaledObject. */
  readonly name: string;
  /** Of the trigger. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The TriggerAuthentication of the trigger. */
  readonly authentication?: string;
  readonly min?: number;
  readonly max?: number;
  /** Of the Deployment's manifest; without it there is one, until something scales it. */
  readonly replicas?: number;
  /** As in the ScaledObject; null: it is left out, and the HPA has its own of 10 %. */
  readonly tolerance?: string | null;
  /** Merged over the ScaledObject's spec. */
  readonly spec?: Json;
  /** More triggers beside ours. */
  readonly triggers?: readonly Json[];
}

/** A Deployment that a ScaledObject scales; its pods are KWOK's. */
export class Target {
  readonly namespace: string;
  readonly name: string;
  readonly #cluster: Cluster;
  readonly #options: TargetOptions;

  private constructor(cluster: Cluster, options: TargetOptions) {
    this.#cluster = cluster;
    this.#options = options;
    this.namespace = options.namespace;
    this.name = options.name;
  }

  /** Its HPA is there when this is done; `hpa: false`: it is not waited for. */
  static async create(cluster: Cluster, options: TargetOptions, { hpa = true } = {}): Promise<Target> {
    const target = new Target(cluster, options);
    await cluster.api.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: options.namespace } });
    await target.applyDeployment();
    await cluster.api.apply(scaledObjectOf(options));
    if (hpa) await until(async () => (await target.hpa()) !== null, `an HPA for ${target.namespace}/${target.name}`);
    return target;
  }

  /** One that is there already, with a ScaledObject of its name. */
  static of(cluster: Cluster, namespace: string, name: string): Target {
    return new Target(cluster, { namespace, name, metadata: {} });
  }

  /** As a GitOps tool does again and again. */
  applyDeployment(): Promise<void> {
    return this.#cluster.api.apply(deploymentOf(this.#options));
  }

  hpa(): Promise<Json | null> {
    return this.#cluster.api.get("HorizontalPodAutoscaler", this.namespace, `keda-hpa-${this.name}`);
  }

  scaledObject(): Promise<Json> {
    return this.#cluster.api.get("ScaledObject", this.namespace, this.name);
  }

  async replicas(): Promise<number> {
    return (await this.#deployment()).spec.replicas;
  }

  async ready(): Promise<number> {
    return (await this.#deployment()).status.readyReplicas ?? 0;
  }

  /** Syncs of its HPA that began after `sinceMs`. */
  syncs(sinceMs: number): number {
    return this.#cluster.audit.syncs(this.namespace, this.name, sinceMs).length;
  }

  async untilSyncs(count: number, sinceMs: number): Promise<void> {
    await until(() => this.syncs(sinceMs) >= count, `${count} syncs of ${this.namespace}/${this.name}`);
  }

  /** Waits until it has this many replicas; fails where the HPA has begun one sync more than allowed and they are not there. */
  async expectReplicas(wanted: number, withinSyncs: number, sinceMs: number): Promise<void> {
    await until(async () => {
      const found = await this.replicas();
      const syncs = this.syncs(sinceMs);
      const where = `${this.namespace}/${this.name}`;
      assert.ok(
        found === wanted || syncs <= withinSyncs,
        `${where} has ${found} replicas after ${withinSyncs} syncs, not ${wanted}`,
      );
      return found === wanted;
    }, `${wanted} replicas of ${this.namespace}/${this.name}`);
  }

  /** All replicas are ready, and as many as this. */
  async untilReady(wanted: number): Promise<void> {
    await until(async () => (await this.ready()) === wanted, `${wanted} ready of ${this.namespace}/${this.name}`);
  }

  /** Fails when the replicas are ever another number, until the HPA has begun so many syncs. */
  async expectHeld(wanted: number, syncs: number): Promise<void> {
    const sinceMs = Date.now();
    await until(async () => {
      assert.equal(await this.replicas(), wanted, `${this.namespace}/${this.name} moved`);
      return this.syncs(sinceMs) > syncs;
    }, `${syncs} syncs of ${this.namespace}/${this.name}`);
  }

  async change(spec: Json): Promise<void> {
    await this.#cluster.api.merge("ScaledObject", this.namespace, this.name, { spec });
  }

  /** The ScaledObject goes first, with KEDA's finaliser; then its Deployment. */
  async remove(): Promise<void> {
    const { api } = this.#cluster;
    await api.delete("ScaledObject", this.namespace, this.name);
    await api.delete("Deployment", this.namespace, this.name);
    await until(async () => (await this.scaledObject()) === null, `${this.namespace}/${this.name} is gone`);
  }

  /** All of a namespace: asking after each of hundreds would keep the API server from doing it. */
  static async removeAll({ api }: Cluster, namespace: string): Promise<void> {
    await api.deleteAll("ScaledObject", namespace);
    await api.deleteAll("Deployment", namespace);
    const areGone = async () => (await api.list("ScaledObject", namespace, "?limit=1")).length === 0;
    await until(areGone, `all ScaledObjects of ${namespace} are gone`, 500_000);
  }

  #deployment(): Promise<Json> {
    return this.#cluster.api.get("Deployment", this.namespace, this.name);
  }
}

function deploymentOf({ namespace, name, replicas }: TargetOptions): Json {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace },
    spec: {
      ...(replicas === undefined ? {} : { replicas }),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "switcher", image: "none" }] },
      },
    },
  };
}

/** By the recipe of the documentation: exact counts at every sync. */
function scaledObjectOf(options: TargetOptions): Json {
  const { namespace, name, metadata, authentication, min = 1, max = 50, spec = {}, triggers = [] } = options;
  const { tolerance = "0" } = options;
  const ours = { type: "external-push", metricType: "AverageValue", metadata };
  const secured = authentication === undefined ? {} : { authenticationRef: { name: authentication } };
  const both = { stabilizationWindowSeconds: 0, selectPolicy: "Max", ...(tolerance === null ? {} : { tolerance }) };
  const behavior = {
    scaleUp: { ...both, policies: [{ type: "Pods", value: 1000, periodSeconds: 15 }] },
    scaleDown: { ...both, policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] },
  };
  return {
    apiVersion: "keda.sh/v1alpha1",
    kind: "ScaledObject",
    metadata: { name, namespace },
    spec: {
      scaleTargetRef: { name },
      minReplicaCount: min,
      maxReplicaCount: max,
      advanced: { horizontalPodAutoscalerConfig: { behavior } },
      triggers: [{ ...ours, ...secured }, ...triggers],
      ...spec,
    },
  };
}
