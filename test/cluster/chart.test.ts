import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { systemClock } from "../../scaler/clock.ts";
import { ID_CARD } from "../chart/helm.ts";
import { FakeGateway } from "../scaler/support/fake-gateway.ts";
import { findingOf, findingsIn } from "./support/findings.ts";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { Program } from "./support/program.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const NAMESPACE = "shop";
const HOST = "10.77.2.1";
const DETECTION = "variscale-id-card-detection";
const STAGES = [DETECTION, "variscale-id-card-recognition"];
const DEPLOYMENTS = [...STAGES, "variscale-id-card-gateway", "variscale-scaler"];
/** Collections that a release may have something in, and what KEDA makes of it. */
const COLLECTIONS = [
  ...["api/v1|configmaps", "api/v1|pods", "api/v1|secrets", "api/v1|serviceaccounts", "api/v1|services"],
  ...["apis/apps/v1|deployments", "apis/apps/v1|replicasets", "apis/autoscaling/v2|horizontalpodautoscalers"],
  ...["apis/keda.sh/v1alpha1|scaledobjects", "apis/keda.sh/v1alpha1|triggerauthentications"],
  ...["apis/rbac.authorization.k8s.io/v1|roles", "apis/rbac.authorization.k8s.io/v1|rolebindings"],
];
/** What every namespace has. */
const OF_KUBERNETES = ["configmaps kube-root-ca.crt", "serviceaccounts default"];

describe("the chart, installed by Helm", () => {
  let gateway: FakeGateway;
  let scaler: Program;
  let detection: Target;

  before(async () => {
    gateway = await FakeGateway.start(systemClock);
    gateway.rateRps = 1;
    const source = `--set=pipelines.id-card.loadSource=${gateway.url}`;
    helm("install", "variscale", chart, "--create-namespace", ...ID_CARD, source);
    detection = Target.of(theCluster(), NAMESPACE, DETECTION);
  });

  after(async () => {
    await scaler?.stop();
    await gateway.close();
  });

  it("has pods that become ready", async () => {
    for (const name of DEPLOYMENTS) {
      const ready = async () => (await theCluster().api.get("Deployment", NAMESPACE, name)).status.readyReplicas > 0;
      await until(ready, `${name} is ready`);
    }
  });

  it("is in shadow mode: KEDA leaves the stages alone, and doctor knows that", async () => {
    const paused = async () => {
      const conditions: readonly Json[] = (await detection.scaledObject()).status?.conditions ?? [];
      return conditions.some(({ type, status }) => type === "Paused" && status === "True");
    };
    await until(paused, "KEDA has paused it");
    assert.equal(await detection.hpa(), null);
    const findings = await findingsIn(NAMESPACE);
    for (const check of ["hpa", "ready"]) assert.equal(findingOf(findings, check, DETECTION).kind, "ok", check);
    assert.equal(findingOf(findings, "paused", DETECTION).kind, "warn");
    helm("upgrade", "variscale", chart, "--reuse-values", "--set=mode=active");
  });

  it("has a scaler that, with its arguments and its service account, gives stages their exact counts", async () => {
    scaler = await startScaler();
    await scaler.until(async () => (await read().catch(() => null))?.board?.plan?.feasible === true, "a plan");
    for (const name of STAGES)
      await until(async () => (await Target.of(theCluster(), NAMESPACE, name).hpa()) !== null, `an HPA for ${name}`);
    for (const replicas of [7, 8, 3]) {
      await pin("detection", replicas);
      await detection.expectReplicas(replicas, 2, Date.now());
      await detection.untilReady(replicas);
    }
    assert.doesNotMatch(scaler.log(), /orbidden/);
  });

  it("keeps counts and HPAs over an upgrade", async () => {
    const before = await detection.hpa();
    helm("upgrade", "variscale", chart, "--reuse-values", "--set=switcher.logLevel=debug");
    await detection.expectHeld(3, 2);
    await detection.untilReady(3);
    const { containers } = (await theCluster().api.get("Deployment", NAMESPACE, DETECTION)).spec.template.spec;
    assert.ok(containers[0].args.includes("--log-level=debug"));
    assert.equal((await detection.hpa())?.metadata.uid, before?.metadata.uid);
  });

  it("leaves nothing when it is uninstalled", async () => {
    helm("uninstall", "variscale");
    let left: readonly string[] = [];
    const isEmpty = async () => {
      left = await objectsLeft();
      return left.length === 0;
    };
    await until(isEmpty, "nothing is left").catch(error => assert.fail(`${error}: ${left.join(", ")}`));
  });
});

const chart = join(packageFolder, "charts/variscale");

function helm(command: string, ...args: readonly string[]): void {
  const { tools, folder, kubeconfig } = theCluster();
  const home = { HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
  execFileSync(join(tools.helm, "bin/helm"), [command, ...args, `--namespace=${NAMESPACE}`], {
    env: { ...process.env, ...home, KUBECONFIG: kubeconfig },
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/** The pod's process: its arguments, with its files, its name and its account's rights; only the paths are others. */
async function startScaler(): Promise<Program> {
  const { api, folder } = theCluster();
  const mounted = join(folder, "chart/id-card");
  mkdirSync(mounted, { recursive: true });
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/variscale-id-card`;
  const { data } = (await api.call("GET", path)).body;
  for (const [name, text] of Object.entries<string>(data)) writeFileSync(join(mounted, name), text);
  appendFileSync("/etc/hosts", `${HOST} variscale-scaler.${NAMESPACE}.svc.cluster.local\n`);
  const [container] = (await api.get("Deployment", NAMESPACE, "variscale-scaler")).spec.template.spec.containers;
  const args = container.args.map((arg: string) =>
    arg.replace("/app/mounted/id-card", mounted).replace("/var/lib/variscale", join(folder, "chart/state")),
  );
  const main = join(packageFolder, "dist/cli/main.js");
  const program = new Program({
    name: "scaler of the chart",
    command: process.execPath,
    args: ["--v8-pool-size=1", main, ...args, `--host=${HOST}`, "--kubernetes=on"],
    env: { KUBECONFIG: await kubeconfigOf("variscale-scaler"), VARISCALE_TOKEN: "of-the-test" },
    logFile: join(folder, "log", "scaler-of-the-chart"),
  });
  program.start();
  return program;
}

/** With a token of the service account, as a pod has one. */
async function kubeconfigOf(account: string): Promise<string> {
  const { api, kubeconfig, folder } = theCluster();
  const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account}/token`;
  const asked = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
  const { status, body } = await api.call("POST", path, asked);
  assert.equal(status, 201, JSON.stringify(body));
  const config = JSON.parse(readFileSync(kubeconfig, "utf8"));
  config.users[0].user = { token: body.status.token };
  const file = join(folder, "chart/kubeconfig");
  writeFileSync(file, JSON.stringify(config));
  return file;
}

async function read(): Promise<Json> {
  return (await fetch(`http://${HOST}:8080/api/v1/pipelines/${NAMESPACE}/id-card`)).json();
}

/** Pins the replicas of a stage, and waits until that is what KEDA is told. */
async function pin(stage: string, replicas: number): Promise<void> {
  const response = await fetch(`http://${HOST}:8080/api/v1/pipelines/${NAMESPACE}/id-card/pin`, {
    method: "PUT",
    headers: { authorization: "Bearer of-the-test" },
    body: JSON.stringify({ stage, replicas, ttlMs: 3_600_000 }),
  });
  assert.equal(response.status, 200, await response.text());
  const told = async () =>
    (await read()).board.stages.find((other: Json) => other.stage === stage).replicasNow === replicas;
  await until(told, `KEDA is told ${replicas}`);
}

async function objectsLeft(): Promise<readonly string[]> {
  const lists = COLLECTIONS.map(async collection => {
    const [group, plural] = collection.split("|");
    const { status, body } = await theCluster().api.call("GET", `/${group}/namespaces/${NAMESPACE}/${plural}`);
    assert.equal(status, 200, collection);
    return body.items.map(({ metadata }: Json) => `${plural} ${metadata.name}`);
  });
  return (await Promise.all(lists)).flat().filter(name => !OF_KUBERNETES.includes(name));
}
