import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { packageFolder } from "../../runtime/version.ts";
import { systemClock } from "../../scaler/clock.ts";
import { ID_CARD } from "../chart/helm.ts";
import { FakeGateway } from "../scaler/support/fake-gateway.ts";
import { kubeconfigOf } from "./support/account-token.ts";
import { findingOf, findingsIn } from "./support/findings.ts";
import { theCluster } from "./support/hooks.ts";
import type { Json } from "./support/kubernetes-api.ts";
import { Program } from "./support/program.ts";
import { installed, type Release } from "./support/release.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const NAMESPACE = "shop";
/** Of the scaler, and of the one that takes its place in a rollout. */
const HOSTS = ["10.77.2.1", "10.77.2.2"] as const;
type Host = (typeof HOSTS)[number];
const DETECTION = "variscale-id-card-detection";
const STAGES = [DETECTION, "variscale-id-card-recognition"];
const DEPLOYMENTS = [...STAGES, "variscale-id-card-gateway", "variscale-scaler"];
/** Collections that a release may have something in, and what KEDA makes of it. */
const COLLECTIONS = [
  ...["api/v1|configmaps", "api/v1|pods", "api/v1|secrets", "api/v1|serviceaccounts", "api/v1|services"],
  ...["apis/apps/v1|deployments", "apis/apps/v1|replicasets", "apis/autoscaling/v2|horizontalpodautoscalers"],
  ...["apis/keda.sh/v1alpha1|scaledobjects", "apis/keda.sh/v1alpha1|triggerauthentications"],
  ...["apis/rbac.authorization.k8s.io/v1|roles", "apis/rbac.authorization.k8s.io/v1|rolebindings"],
  ...["apis/policy/v1|poddisruptionbudgets", "apis/coordination.k8s.io/v1|leases"],
];
/** What every namespace has. */
const OF_KUBERNETES = ["configmaps kube-root-ca.crt", "serviceaccounts default"];

describe("the chart, installed by Helm", () => {
  let gateway: FakeGateway;
  let release: Release;
  let scaler: Program;
  let detection: Target;

  before(async () => {
    gateway = await FakeGateway.start(systemClock);
    gateway.rateRps = 1;
    const source = `--set=pipelines.id-card.loadSource=${gateway.url}`;
    release = installed("variscale", NAMESPACE, [...ID_CARD, source]);
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
    release.upgrade("--set=mode=active");
  });

  it("has a scaler that, with its arguments and its service account, gives stages their exact counts", async () => {
    scaler = await startScaler(HOSTS[0]);
    resolveTo(HOSTS[0]);
    await scaler.until(async () => (await read(HOSTS[0]).catch(() => null))?.board?.plan?.feasible === true, "a plan");
    for (const name of STAGES)
      await until(async () => (await Target.of(theCluster(), NAMESPACE, name).hpa()) !== null, `an HPA for ${name}`);
    for (const replicas of [7, 8, 3]) {
      await pin("detection", replicas);
      await detection.expectReplicas(replicas, 2, Date.now());
      await detection.untilReady(replicas);
    }
    assert.doesNotMatch(scaler.log(), /orbidden/);
  });

  it("keeps plan, counts and HPAs over an upgrade and a rollback, with a scaler that takes over in each", async () => {
    const before = await detection.hpa();
    const logLevel = async () =>
      (await theCluster().api.get("Deployment", NAMESPACE, DETECTION)).spec.template.spec.containers[0].args.at(-1);
    const first = await logLevel();
    const changes = [
      () => release.upgrade("--set=switcher.logLevel=debug,scaler.logLevel=debug"),
      () => release.rollback(2),
    ];
    for (const [i, change] of changes.entries()) {
      const [from, to] = i === 0 ? HOSTS : ([HOSTS[1], HOSTS[0]] as const);
      const { plan } = (await read(from)).board;
      change();
      assert.equal(await logLevel(), i === 0 ? "--log-level=debug" : first);
      const next = await startScaler(to);
      await next.until(
        async () => (await fetch(`http://${to}:8080/readyz`).catch(() => null))?.status === 200,
        "ready",
      );
      resolveTo(to);
      assert.equal(await scaler.stop(), 0);
      scaler = next;
      const leads = async () => (await fetch(`http://${to}:8080/leader`)).status === 200;
      await next.until(async () => (await leads()) && (await read(to)).board !== null, "it leads");
      const { board } = await read(to);
      assert.equal(replicasOf(board, "detection"), 3);
      assert.deepEqual(board.plan.stages, plan.stages);
      await detection.expectHeld(3, 2);
      await detection.untilReady(3);
    }
    assert.equal((await detection.hpa())?.metadata.uid, before?.metadata.uid);
  });

  it("leaves nothing when it is uninstalled but what its scalers share, found by its label", async () => {
    await scaler.stop();
    release.uninstall();
    let left: readonly string[] = [];
    const isShared = (name: string) => /^(configmaps|leases) /.test(name);
    const isEmpty = async () => {
      left = await objectsLeft();
      return left.every(isShared);
    };
    await until(isEmpty, "nothing else is left").catch(error => assert.fail(`${error}: ${left.join(", ")}`));
    const { api } = theCluster();
    const labelled = `/api/v1/namespaces/${NAMESPACE}/configmaps?labelSelector=variscale.dev/lease=variscale-scaler`;
    assert.equal((await api.call("DELETE", labelled)).status, 200);
    assert.deepEqual(await objectsLeft(), ["leases variscale-scaler"]);
  });
});

/** What KEDA finds by the name of the Service. */
function resolveTo(host: Host): void {
  const name = `variscale-scaler.${NAMESPACE}.svc.cluster.local`;
  const others = readFileSync("/etc/hosts", "utf8")
    .split("\n")
    .filter(line => !line.endsWith(name));
  writeFileSync("/etc/hosts", `${others.join("\n")}\n${host} ${name}\n`);
}

/** The pod's process: its arguments, with its files, its name and its account's rights; only the paths are others. */
async function startScaler(host: Host): Promise<Program> {
  const { api, folder } = theCluster();
  const mounted = join(folder, "chart/id-card");
  mkdirSync(mounted, { recursive: true });
  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps/variscale-id-card`;
  const { data } = (await api.call("GET", path)).body;
  for (const [name, text] of Object.entries<string>(data)) writeFileSync(join(mounted, name), text);
  const [container] = (await api.get("Deployment", NAMESPACE, "variscale-scaler")).spec.template.spec.containers;
  const tls = join(folder, "chart/tls");
  mkdirSync(tls, { recursive: true });
  const secret = await api.get("Secret", NAMESPACE, "variscale-tls");
  for (const [name, text] of Object.entries<string>(secret.data))
    writeFileSync(join(tls, name), Buffer.from(text, "base64"));
  const token = await api.get("Secret", NAMESPACE, "variscale-scaler-token");
  const args = container.args.map((arg: string) =>
    arg
      .replace("/app/mounted/id-card", mounted)
      .replace("/var/lib/variscale", join(folder, "chart", host))
      .replace("/etc/variscale/tls", tls),
  );
  const main = join(packageFolder, "dist/cli/main.js");
  const program = new Program({
    name: "scaler of the chart",
    command: process.execPath,
    args: ["--v8-pool-size=1", "--max-semi-space-size=1", main, ...args, `--host=${host}`, "--kubernetes=on"],
    env: {
      KUBECONFIG: await kubeconfigOf(theCluster(), { namespace: NAMESPACE, name: "variscale-scaler" }),
      VARISCALE_TOKEN: Buffer.from(token.data.token, "base64").toString(),
    },
    logFile: join(folder, "log", `scaler-of-the-chart-${host}`),
  });
  program.start();
  return program;
}

async function read(host: Host): Promise<Json> {
  return (await fetch(`http://${host}:8080/api/v1/pipelines/${NAMESPACE}/id-card`)).json();
}

/** Pins the replicas of a stage, and waits until that is what KEDA is told. */
async function pin(stage: string, replicas: number): Promise<void> {
  const token = await theCluster().api.get("Secret", NAMESPACE, "variscale-scaler-token");
  const response = await fetch(`http://${HOSTS[0]}:8080/api/v1/pipelines/${NAMESPACE}/id-card/pin`, {
    method: "PUT",
    headers: { authorization: `Bearer ${Buffer.from(token.data.token, "base64")}` },
    body: JSON.stringify({ stage, replicas, ttlMs: 3_600_000 }),
  });
  assert.equal(response.status, 200, await response.text());
  const told = async () => replicasOf((await read(HOSTS[0])).board, stage) === replicas;
  await until(told, `KEDA is told ${replicas}`);
}

function replicasOf(board: Json, stage: string): number {
  return board.stages.find((other: Json) => other.stage === stage).replicasNow;
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
