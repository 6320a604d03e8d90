import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "mocha";
import { findKubernetes } from "../../runtime/find-kubernetes.ts";
import { KubernetesClient } from "../../runtime/kubernetes.ts";
import { RESOURCES } from "../../runtime/kubernetes-resource.ts";
import { EventRecorder } from "../../scaler/event-recorder.ts";
import { FakeSwitcher } from "../scaler/support/fake-switcher.ts";
import { KedaClient, refOf } from "../scaler/support/running-scaler.ts";
import { theCluster } from "./support/hooks.ts";
import { ScalerProcess } from "./support/scaler-process.ts";
import { Target } from "./support/target.ts";
import { until } from "./support/until.ts";

const SHOP = { namespace: "together", name: "cards", stages: ["detect"] } as const;
const REF = refOf("detect", { namespace: "together", name: "detect" });
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/together/leases/scalers";
/** From the last renewal of a leader that is gone until another has the Lease. */
const FAIL_OVER_SECONDS = 15;

describe("several scalers of a cluster", () => {
  let scalers: readonly [ScalerProcess, ScalerProcess];
  let clients: readonly [KedaClient, KedaClient];
  let detect: Target;

  before(async () => {
    const cluster = theCluster();
    const metadata = { name: "together" };
    await cluster.api.apply({ apiVersion: "v1", kind: "Namespace", metadata });
    const start = () => ScalerProcess.start(cluster, [SHOP], { kubernetes: true, lease: "scalers" });
    scalers = [await start(), await start()];
    clients = [new KedaClient(scalers[0].address), new KedaClient(scalers[1].address)];
    // One name for both, as a headless Service has.
    const hosts = scalers.map(({ host }) => `${host} scalers.together\n`).join("");
    appendFileSync(join(process.env["VARISCALE_CLUSTER_STATE"] ?? "", "hosts"), hosts);
    const trigger = { scalerAddress: "scalers.together:6000", pipeline: "cards", stage: "detect" };
    detect = await Target.create(cluster, { namespace: "together", name: "detect", metadata: trigger });
  });

  after(async () => {
    await detect.remove();
    for (const { raw } of clients) raw.close();
    for (const { program } of scalers) if (program.isRunning) process.kill(program.pid, "SIGCONT");
    for (const scaler of scalers) await scaler.close();
  });

  /** The one that leads, and the other: by their indices. */
  async function roles(): Promise<{ readonly leader: 0 | 1; readonly other: 0 | 1 }> {
    let leader: 0 | 1 = 0;
    await until(async () => {
      const leading = [await scalers[0].leads(), await scalers[1].leads()];
      leader = leading[1] ? 1 : 0;
      return leading[0] !== leading[1];
    }, "exactly one leads");
    return { leader, other: leader === 0 ? 1 : 0 };
  }

  const told = (index: 0 | 1) => clients[index].replicas(REF).catch(() => null);

  async function bothTell(replicas: number): Promise<void> {
    await until(async () => (await told(0)) === replicas && (await told(1)) === replicas, `both tell ${replicas}`);
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON of the API
  async function leaseSpec(): Promise<any> {
    return (await theCluster().api.call("GET", LEASE)).body.spec;
  }

  it("T22: both answer the same, also after a pin that the follower was asked for", async () => {
    const { other } = await roles();
    const sinceMs = Date.now();
    await scalers[other].change(SHOP, "detect", 6);
    await bothTell(6);
    await detect.expectReplicas(6, 3, sinceMs);
  });

  it("another leads when the leader was killed, within 15 s of its last renewal, and no answer changes", async () => {
    const { leader, other } = await roles();
    await scalers[leader].change(SHOP, "detect", 7);
    await bothTell(7);
    const { leaseTransitions } = await leaseSpec();
    await scalers[leader].program.stop("SIGKILL");
    const { renewTime } = await leaseSpec();
    const answers = new Set<unknown>();
    await until(async () => {
      answers.add(await told(other));
      return scalers[other].leads();
    }, "the other leads");
    for (let i = 0; i < 20; i++) answers.add(await told(other));
    assert.deepEqual([...answers], [7]);
    const spec = await leaseSpec();
    assert.equal(spec.leaseTransitions, leaseTransitions + 1);
    const seconds = (Date.parse(spec.acquireTime) - Date.parse(renewTime)) / 1000;
    assert.ok(seconds <= FAIL_OVER_SECONDS, `another led ${seconds} s after the last renewal`);
    await detect.expectHeld(7, 2);
    scalers[leader].program.start();
    await bothTell(7);
    assert.equal(await scalers[leader].leads(), false);
  });

  it("a leader that was stopped assigns nothing when it wakes, and follows", async () => {
    const { leader, other } = await roles();
    const pod = new FakeSwitcher(`${scalers[leader].host}:6001`, {
      ...SHOP,
      pipeline: "cards",
      stage: "detect",
      variant: "only",
    });
    await until(() => pod.assignments.length > 0, "an assignment");
    process.kill(scalers[leader].program.pid, "SIGSTOP");
    try {
      await until(() => scalers[other].leads(), "the other leads");
      await scalers[other].change(SHOP, "detect", 9);
      await until(async () => (await told(other)) === 9, "a change of the new leader");
      const sent = pod.assignments.length;
      process.kill(scalers[leader].program.pid, "SIGCONT");
      await until(() => pod.ended !== null, "its switcher is sent away");
      assert.equal(pod.assignments.length, sent);
      await bothTell(9);
      assert.deepEqual([await scalers[leader].leads(), await scalers[other].leads()], [false, true]);
    } finally {
      process.kill(scalers[leader].program.pid, "SIGCONT");
      pod.close();
    }
  });

  it("a follower sends switchers to the leader, whose epoch is above those before", async () => {
    const { leader, other } = await roles();
    const hello = { ...SHOP, pipeline: "cards", stage: "detect", variant: "only" };
    const sent = new FakeSwitcher(`${scalers[other].host}:6001`, hello);
    await until(() => sent.ended !== null, "the follower sends it away");
    assert.equal(sent.redirect, `${scalers[leader].host}:6001`);
    const pod = new FakeSwitcher(sent.redirect, hello);
    await until(() => pod.assignments.length > 0, "an assignment");
    const { body } = await theCluster().api.call("GET", LEASE);
    assert.equal(String(pod.newest?.version?.epoch), body.metadata.annotations["variscale.dev/epoch"]);
    sent.close();
    pod.close();
  });

  it("the board of a pipeline that is gone is deleted, unless another has written it meanwhile", async () => {
    const { api, kubeconfig } = theCluster();
    const client = new KubernetesClient(findKubernetes({ env: { KUBECONFIG: kubeconfig }, context: null }));
    const path = "/api/v1/namespaces/together/configmaps/gone";
    const metadata = { namespace: "together", name: "gone" };
    const remove = (version: string) => client.delete(RESOURCES.configMaps, "together", "gone", version);
    try {
      await api.apply({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { write: "1" } });
      const before = (await api.call("GET", path)).body.metadata.resourceVersion;
      await api.apply({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { write: "2" } });
      await assert.rejects(remove(before), { code: "aborted" });
      const found = await api.call("GET", path);
      assert.equal(found.body.data.write, "2");
      await remove(found.body.metadata.resourceVersion);
      assert.equal((await api.call("GET", path)).status, 404);
      await assert.rejects(remove(before), { code: "not_found" });
    } finally {
      client.close();
    }
  });

  it("two that tell a ScaledObject the same have one Event, whose count rises", async () => {
    const { api, kubeconfig } = theCluster();
    const client = new KubernetesClient(findKubernetes({ env: { KUBECONFIG: kubeconfig }, context: null }));
    const problems: (string | null)[] = [];
    const recorders = ["one", "two"].map(
      instance =>
        new EventRecorder({ client, instance, nowMs: Date.now, onWrite: (_in, problem) => problems.push(problem) }),
    );
    const scaledObject = { namespace: "together", name: "detect" };
    try {
      for (const [i, recorder] of recorders.entries()) {
        recorder.tell({ scaledObject, type: "Warning", reason: "VariscaleTold", note: "the same" });
        await until(() => problems.length > i, "the write");
      }
      assert.deepEqual(problems, [null, null]);
      const { items } = (await api.call("GET", "/apis/events.k8s.io/v1/namespaces/together/events")).body;
      const told = items.filter(({ reason }: { reason: string }) => reason === "VariscaleTold");
      assert.equal(told.length, 1);
      assert.deepEqual([told[0].reportingInstance, told[0].series.count], ["one", 2]);
    } finally {
      for (const recorder of recorders) recorder.close();
      client.close();
    }
  });

  it("without the API server nobody leads, and all goes on when it is back", async () => {
    const cluster = theCluster();
    const { leader } = await roles();
    const before = await told(leader);
    await cluster.apiServer.stop("SIGKILL");
    try {
      await until(async () => !(await scalers[leader].leads()), "the leader freezes");
      assert.equal(await told(leader), before);
      await until(async () => (await told(0)) === null && (await told(1)) === null, "stale answers fail");
      assert.equal((await clients[0].isActive(REF)).result, true);
      assert.equal((await clients[1].spec(REF)).metricSpecs.length, 1);
    } finally {
      cluster.apiServer.start();
    }
    await cluster.untilApiAnswers();
    await cluster.untilKedaAnswers();
    await roles();
    await bothTell(before ?? 0);
  });
});
