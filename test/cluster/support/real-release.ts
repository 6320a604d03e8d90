import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { packageFolder } from "../../../runtime/version.ts";
import type { Cluster } from "./cluster.ts";
import type { Json } from "./kubernetes-api.ts";
import { Client } from "./load/client.ts";
import { ON_REAL_NODE, type RealNode } from "./node/real-node.ts";
import type { RunningPod } from "./node/running-pod.ts";
import { Target } from "./target.ts";
import { until } from "./until.ts";

const RELEASE = "variscale";
const PIPELINE = "id-card";
/** The SLO of its pipeline file. */
const LATE_MS = 600;
const TOKEN = "token-of-the-test";
const source = join(packageFolder, "pipelines", PIPELINE);

/** The id-card pipeline as the chart installs it, in pods that run. */
export class RealRelease {
  readonly namespace: string;
  readonly #cluster: Cluster;
  readonly #node: RealNode;

  private constructor(cluster: Cluster, node: RealNode, namespace: string) {
    this.namespace = namespace;
    this.#cluster = cluster;
    this.#node = node;
  }

  /**
   * All of its pods are ready and the scaler knows the stages' when this is done.
   *
   * @param fixed by stage, the one variant that there is; all others are left out.
   */
  static async install(
    cluster: Cluster,
    node: RealNode,
    namespace: string,
    fixed: Readonly<Record<string, string>> = {},
  ): Promise<RealRelease> {
    const release = new RealRelease(cluster, node, namespace);
    const parts = ["scaler", "switcher", "gateway", "tests"];
    const placed = parts.map(name => `--set-json=${name}=${JSON.stringify(ON_REAL_NODE)}`);
    await release.helm(
      ...["install", RELEASE, join(packageFolder, "charts/variscale"), "--create-namespace"],
      ...["--set=image.repository=this.package/variscale", "--set=mode=active", ...placed],
      `--set-json=scaler.extraEnv=${JSON.stringify([{ name: "VARISCALE_TOKEN", value: TOKEN }])}`,
      `--set-file=pipelines.${PIPELINE}.file=${writePipeline(join(cluster.folder, namespace), fixed)}`,
      `--set-file=pipelines.${PIPELINE}.measurements=${join(source, "measurements.json")}`,
      `--set=pipelines.${PIPELINE}.models.prepare=true`,
    );
    for (const name of ["detection", "recognition", "gateway"])
      await until(async () => (await release.ready(name)) > 0, `a ready pod of ${name}`);
    await until(async () => (await release.page()).board?.plan?.feasible === true, "a plan");
    return release;
  }

  async helm(...args: readonly string[]): Promise<void> {
    const { tools, folder, kubeconfig } = this.#cluster;
    const home = { HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
    const env = { ...process.env, ...home, KUBECONFIG: kubeconfig };
    await promisify(execFile)(join(tools.helm, "bin/helm"), [...args, `--namespace=${this.namespace}`], { env });
  }

  /** `helm test`; gives what its pod said. Rejects where it failed. */
  async test(): Promise<string> {
    await this.helm("test", RELEASE);
    return readFileSync(join(this.#cluster.folder, "log", `pod-${RELEASE}-test-round-trip`), "utf8");
  }

  /** With the values that it has, and these, while it serves. */
  async upgrade(...values: readonly string[]): Promise<void> {
    await this.helm("upgrade", RELEASE, join(packageFolder, "charts/variscale"), "--reuse-values", ...values);
  }

  /** Takes the load from a Prometheus instead of the gateway; resolves when a scaler that does so leads and has load. */
  async loadFrom(prometheusUrl: string): Promise<void> {
    const url = `prometheus+${prometheusUrl}`;
    await this.upgrade(`--set=pipelines.${PIPELINE}.loadSource=${url}`);
    const leads = async () => {
      const args: readonly string[] = (await this.leader())?.pod.spec.containers[0].args ?? [];
      return args.some(arg => arg.endsWith(url)) && (await this.isLoadKnown());
    };
    await until(leads, "a scaler with the new load source leads");
  }

  /** Whether the scaler that leads has load to plan from, and its source answers. */
  async isLoadKnown(): Promise<boolean> {
    const conditions = [await this.condition("MetricsAvailable"), await this.condition("LoadSourceAnswering")];
    return conditions.every(condition => condition?.status === true);
  }

  /** A condition of the pipeline as the scaler that leads has it; null: none leads, or it has none of the type. */
  async condition(type: string): Promise<{ readonly status: boolean; readonly message: string } | null> {
    const { board, processConditions = [] } = await this.#pageOfLeader();
    const conditions: readonly Json[] = [...(board?.conditions ?? []), ...processConditions];
    return conditions.find(condition => condition.type === type) ?? null;
  }

  /** Replicas of a stage in the plan of the scaler that leads, once one does and has a plan. */
  async planned(stage: string): Promise<number> {
    let goal = Number.NaN;
    const isKnown = async () => {
      const { board } = await this.#pageOfLeader();
      goal = board?.stages.find((other: Json) => other.stage === stage)?.replicasGoal ?? Number.NaN;
      return Number.isInteger(goal);
    };
    await until(isKnown, `the scaler has a plan for ${stage}`);
    return goal;
  }

  /** Pins the replicas of a stage for an hour. */
  async pin(stage: string, replicas: number): Promise<void> {
    await this.#changePins("PUT", { stage, replicas, ttlMs: 3_600_000 });
  }

  /** Takes all pins away. */
  async unpin(): Promise<void> {
    await this.#changePins("DELETE");
  }

  async #changePins(method: string, body?: Json): Promise<void> {
    const scaler = await this.#url(`${RELEASE}-scaler`, 8080);
    const answer = await fetch(`${scaler}/api/v1/pipelines/${this.namespace}/${PIPELINE}/pin`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert.equal(answer.status, 200, await answer.text());
  }

  /** host:port of the gateway of the release in a namespace, by the cluster's names. */
  static gatewayAt(namespace: string): string {
    return `${RELEASE}-${PIPELINE}-gateway.${namespace}.svc.cluster.local:8090`;
  }

  /** Users of the gateway, by its Service. */
  async client(): Promise<Client> {
    const gateway = await this.#url(`${RELEASE}-${PIPELINE}-gateway`, 8090);
    return new Client(`${gateway}/v1/pipelines/${this.namespace}/${PIPELINE}`, join(source, "data/cards"), LATE_MS);
  }

  /** What the scaler says of the pipeline; an empty object while it does not answer. */
  async page(): Promise<Json> {
    const scaler = await this.#url(`${RELEASE}-scaler`, 8080).catch(() => null);
    return scaler === null ? {} : this.#pageOf(scaler);
  }

  async #pageOfLeader(): Promise<Json> {
    const leader = await this.leader();
    return leader === null ? {} : this.#pageOf(`http://${leader.address}:8080`);
  }

  async #pageOf(scaler: string): Promise<Json> {
    try {
      const options = { signal: AbortSignal.timeout(5000) };
      return await (await fetch(`${scaler}/api/v1/pipelines/${this.namespace}/${PIPELINE}`, options)).json();
    } catch {
      return {};
    }
  }

  /** Of a stage. */
  target(stage: string): Target {
    return Target.of(this.#cluster, this.namespace, `${RELEASE}-${PIPELINE}-${stage}`);
  }

  /** Pods of a stage that run, or end. */
  pods(stage: string): readonly RunningPod[] {
    return this.#node.agent.pods(this.namespace, { "variscale.dev/stage": stage });
  }

  /** The scaler that says that it leads; null: none does now. */
  async leader(): Promise<RunningPod | null> {
    const scalers = this.#node.agent.pods(this.namespace, { "app.kubernetes.io/component": "scaler" });
    for (const pod of scalers) {
      const options = { signal: AbortSignal.timeout(2000) };
      const answer = await fetch(`http://${pod.address}:8080/leader`, options).catch(() => null);
      if (answer?.ok) return pod;
    }
    return null;
  }

  /** Ready pods of a stage, or of `gateway`. */
  async ready(name: string): Promise<number> {
    const deployment = `${RELEASE}-${PIPELINE}-${name}`;
    return (await this.#cluster.api.get("Deployment", this.namespace, deployment))?.status?.readyReplicas ?? 0;
  }

  /** Replaces all pods of a stage by new ones, as `kubectl rollout restart` does; resolves when the old ones have ended. */
  async restart(stage: string): Promise<void> {
    const old = this.pods(stage);
    const template = { metadata: { annotations: { "variscale.dev/restarted": String(Date.now()) } } };
    const name = `${RELEASE}-${PIPELINE}-${stage}`;
    await this.#cluster.api.merge("Deployment", this.namespace, name, { spec: { template } });
    const haveEnded = () => this.pods(stage).every(pod => !old.includes(pod));
    await until(haveEnded, `the old pods of ${stage} have ended`, 300_000);
  }

  /** Variants that switchers of a stage serve, as the scaler sees them. */
  async variants(stage: string): Promise<readonly string[]> {
    const switchers: readonly Json[] = (await this.page()).switchers ?? [];
    return switchers.filter(switcher => switcher.stage === stage).map(({ variant }) => variant);
  }

  async uninstall(): Promise<void> {
    await this.helm("uninstall", RELEASE);
    const areGone = () => this.#node.agent.pods(this.namespace, {}).length === 0;
    await until(areGone, `all pods of ${this.namespace} have ended`);
  }

  async #url(service: string, port: number): Promise<string> {
    const found = await this.#cluster.api.get("Service", this.namespace, service);
    return `http://${found.spec.clusterIP}:${port}`;
  }
}

/** Small replicas, so that a machine of two cores has several of them: a tenth of a core is all that a plan may use of each. */
function writePipeline(folder: string, fixed: Readonly<Record<string, string>>): string {
  const file = parse(readFileSync(join(source, "pipeline.yaml"), "utf8"));
  const [detection, recognition] = file.spec.stages;
  assert.ok(detection.name === "detection" && recognition.name === "recognition");
  // What its clients send is a hundred cards over and over: an estimate of accuracy would be of these.
  delete file.spec.accuracy;
  file.spec.objective = { ...file.spec.objective, utilisation: 0.1 };
  detection.replicas = { min: 1, max: 3 };
  recognition.replicas = { min: 1, max: 2 };
  for (const stage of file.spec.stages) keepVariant(stage, fixed[stage.name]);
  if (Object.keys(fixed).length > 0) delete recognition.fanOut.byUpstreamVariant;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "pipeline.yaml");
  writeFileSync(path, stringify(file));
  return path;
}

function keepVariant(stage: Json, kept: string | undefined): void {
  if (kept === undefined) return;
  stage.defaultVariant = kept;
  stage.variants = stage.variants.filter(({ name }: Json) => name === kept);
  assert.equal(stage.variants.length, 1, `${stage.name} has no variant ${kept}`);
}
