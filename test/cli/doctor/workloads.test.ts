import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { KubernetesObject } from "../../support/kubernetes-api.ts";
import { DEPLOYMENTS, examinedCluster, only, PODS } from "./examined-cluster.ts";

describe("doctor, of pods, clocks and KEDA's operator", () => {
  const cluster = examinedCluster();

  it("knows pods that wait, and why, of the stage alone", async () => {
    const pod = (name: string, labels: object, status: object): KubernetesObject => ({
      metadata: { namespace: "shop", name, labels, creationTimestamp: "2026-01-01T00:00:00Z" },
      status,
    });
    const full = { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" };
    const pending = { phase: "Pending", conditions: [full] };
    cluster.api.put(PODS, pod("other", { app: "elsewhere" }, pending));
    assert.equal(only(await cluster.run(), "pods").kind, "ok");
    cluster.api.put(PODS, pod("a", { app: "cards-detect" }, pending));
    cluster.api.put(PODS, pod("b", { app: "cards-detect" }, pending));
    await cluster.wrong(
      "pods",
      "warn",
      /^2 of 2 pods not ready: Unschedulable: 0\/3 nodes are available \(a and 1 more\)$/,
    );
  });

  it("knows a rollout that takes replicas away, and pods that a quota forbids", async () => {
    delete cluster.objects.deployment.spec.strategy.rollingUpdate.maxUnavailable;
    await cluster.wrong("rollout", "warn", /takes up to 2 of 10 replicas away/);
    cluster.objects.deployment.spec.strategy = { rollingUpdate: { maxUnavailable: 0 } };
    cluster.objects.deployment.status = {
      conditions: [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota: q" }],
    };
    await cluster.wrong("rollout", "fail", /pods can't be made: FailedCreate: exceeded quota: q/);
  });

  it("knows an API server whose clock is off", async () => {
    cluster.api.intercept = (_request, response) => {
      response.setHeader("date", new Date(Date.now() - 90_000).toUTCString());
      return false;
    };
    const clocks = (await cluster.run()).filter(({ check }) => check === "clock");
    assert.deepEqual(
      clocks.map(({ kind }) => kind),
      ["fail", "fail"],
    );
    assert.match(clocks[0]?.what ?? "", /its clock is (89|90|91) s behind this machine's/);
    assert.match(clocks[1]?.what ?? "", /its clock is (89|90|91) s ahead of the API server's/);
  });

  it("knows KEDA's operator and its CRDs", async () => {
    const operator = (image: string, readyReplicas: number): KubernetesObject => ({
      metadata: { namespace: "keda", name: "keda-operator" },
      spec: { template: { spec: { containers: [{ image }] } } },
      status: { readyReplicas },
    });
    cluster.api.put(DEPLOYMENTS, operator("registry.example/keda:2.21.0@sha256:0", 1));
    assert.equal(only(await cluster.run(), "keda-operator").what, "runs 2.21.0");
    cluster.api.put(DEPLOYMENTS, operator("registry.example:5000/keda:2.17.1", 1));
    await cluster.wrong("keda-operator", "warn", /runs 2\.17\.1 with the CRDs of 2\.21\.0/);
    cluster.api.put(DEPLOYMENTS, operator("registry.example/keda:2.21.0", 0));
    await cluster.wrong("keda-operator", "fail", /is not ready/);
  });
});
