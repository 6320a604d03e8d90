import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { API_SERVICES, examinedCluster, only } from "./examined-cluster.ts";

describe("doctor, of ScaledObjects and their HPAs", () => {
  const cluster = examinedCluster();

  it("T1: looks at the live HPA, not at what the ScaledObject says", async () => {
    delete cluster.objects.autoscaler.spec.behavior.scaleUp.tolerance;
    const tolerant = await cluster.run();
    assert.equal(only(tolerant, "tolerance").kind, "warn");
    assert.match(only(tolerant, "tolerance").what, /up the cluster's default, usually 0\.1, down 0/);
    // T2: surge pods are within the tolerance.
    assert.match(only(tolerant, "rollout").what, /adds up to 3 pods, and an HPA with a tolerance may keep them/);
    const [found] = (await cluster.run()).filter(finding => finding.check === "tolerance");
    assert.match(found?.fix ?? "", /drops the field before Kubernetes 1\.35/);
    delete cluster.objects.scaledObject.spec.advanced;
    const [unasked] = (await cluster.run()).filter(finding => finding.check === "tolerance");
    assert.match(unasked?.fix ?? "", /set .*scaleUp\.tolerance/);
  });

  it("T3, T4, T6: allows one trigger", async () => {
    cluster.objects.scaledObject.spec.triggers.push({ type: "cpu", metadata: { value: "50" } });
    await cluster.wrong("one-trigger", "fail", /2 triggers/);
  });

  it("knows metric types", async () => {
    cluster.trigger.metricType = "Value";
    await cluster.wrong("metric-type", "fail", /metricType Value/);
    delete cluster.trigger.metricType;
    await cluster.run();
    cluster.trigger.metadata.metricType = "AverageValue";
    assert.match(only(await cluster.run(), "metric-type").what, /in the trigger's metadata/);
  });

  it("T18: knows steps that are limited", async () => {
    cluster.objects.autoscaler.spec.behavior.scaleUp.policies = [{ type: "Pods", value: 4, periodSeconds: 15 }];
    await cluster.wrong("policies", "warn", /scaleUp is limited/);
    cluster.objects.autoscaler.spec.behavior.scaleUp.policies = [{ type: "Percent", value: 900, periodSeconds: 15 }];
    assert.equal(only(await cluster.run(), "steps").kind, "ok");
    cluster.objects.autoscaler.spec.behavior.scaleDown.selectPolicy = "Disabled";
    await cluster.wrong("steps", "fail", /scaleDown is disabled/);
    // As KEDA does it.
    cluster.objects.scaledObject.metadata.annotations = { "autoscaling.keda.sh/paused-scale-in": "true" };
    const paused = only(await cluster.run(), "steps");
    assert.deepEqual([paused.kind, paused.what], ["warn", "scaleDown is disabled by a pause"]);
    assert.match(paused.fix ?? "", /see `paused`/);
    cluster.objects.scaledObject.metadata.annotations = { "autoscaling.keda.sh/paused-scale-out": "true" };
    assert.equal(only(await cluster.run(), "steps").kind, "fail");
  });

  it("T19: knows the window of 300 s", async () => {
    delete cluster.objects.autoscaler.spec.behavior.scaleDown.stabilizationWindowSeconds;
    await cluster.wrong("windows", "warn", /300 s/);
  });

  it("T20: knows TLS keys that KEDA does not read", async () => {
    cluster.trigger.metadata.caCert = "PEM";
    const found = only(await cluster.run(), "tls-keys");
    assert.equal(found.kind, "fail");
    assert.match(found.what, /caCert in the trigger's metadata/);
  });

  it("T21: knows fallbacks that take replicas away", async () => {
    cluster.objects.scaledObject.spec.fallback.replicas = 0;
    await cluster.wrong("fallback", "fail", /0 replicas/);
    cluster.objects.scaledObject.spec.fallback = { failureThreshold: 3, replicas: 2 };
    await cluster.wrong("fallback", "warn", /also where more are there/);
    delete cluster.objects.scaledObject.spec.fallback;
    await cluster.wrong("fallback", "warn", /no fallback/);
  });

  it("T23: names who sets the replicas besides the autoscaler", async () => {
    const owns = (manager: string, subresource?: string) => ({
      manager,
      ...(subresource ? { subresource } : {}),
      fieldsV1: { "f:spec": { "f:replicas": {} } },
    });
    cluster.objects.deployment.metadata.managedFields = [owns("keda", "scale")];
    assert.equal(only(await cluster.run(), "replicas-owner").kind, "ok");
    cluster.objects.deployment.metadata.managedFields = [owns("helm"), owns("keda", "scale")];
    await cluster.wrong("replicas-owner", "warn", /set by helm:/);
    const applied = JSON.stringify({ spec: { replicas: 3 } });
    cluster.objects.deployment.metadata = {
      ...cluster.objects.deployment.metadata,
      managedFields: [],
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": applied },
    };
    await cluster.wrong("replicas-owner", "warn", /kubectl apply/);
  });

  it("T24: knows names that are too long", async () => {
    cluster.objects.scaledObject.spec.advanced.horizontalPodAutoscalerConfig.name = "h".repeat(64);
    cluster.objects.autoscaler.metadata.name = "h".repeat(64);
    await cluster.wrong("names", "fail", /64 characters/);
  });

  it("T25: knows whose the external metrics are", async () => {
    for (const [namespace, name] of [
      ["datadog", "datadog-cluster-agent"],
      ["keda", "prometheus-adapter"],
    ]) {
      cluster.api.put(API_SERVICES, {
        metadata: { name: "v1beta1.external.metrics.k8s.io" },
        spec: { service: { namespace, name } },
        status: { conditions: [{ type: "Available", status: "True" }] },
      });
      await cluster.wrong("external-metrics", "fail", new RegExp(`belongs to ${namespace}/${name}`));
    }
  });

  it("knows pauses, and what KEDA and the HPA complain of", async () => {
    cluster.objects.scaledObject.metadata.annotations = { "autoscaling.keda.sh/paused-replicas": "3" };
    // KEDA has taken the HPA away.
    const autoscaler = cluster.objects.autoscaler;
    cluster.objects.autoscaler = null;
    await cluster.wrong("paused", "warn", /paused-replicas: 3/);
    assert.equal(only(await cluster.run(), "hpa").kind, "ok");
    cluster.objects.autoscaler = autoscaler;
    cluster.objects.scaledObject.metadata.annotations = {};
    cluster.objects.scaledObject.status.conditions = [
      { type: "Ready", status: "False", reason: "TriggerError", message: "got empty metric spec" },
    ];
    await cluster.wrong("ready", "fail", /TriggerError got empty metric spec/);
    cluster.objects.scaledObject.status.conditions = [{ type: "Ready", status: "True" }];
    cluster.objects.autoscaler.status.conditions = [
      { type: "ScalingActive", status: "False", reason: "FailedGetExternalMetric", message: "m" },
    ];
    await cluster.wrong("hpa-active", "fail", /FailedGetExternalMetric m/);
  });
});
