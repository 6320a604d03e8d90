import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { type DoctorOptions, examine } from "../../../cli/doctor/doctor.ts";
import { type Finding, formatFindings } from "../../../cli/doctor/finding.ts";
import { manifestsOf } from "../../../cli/manifests/manifests.ts";
import { KubernetesClient } from "../../../runtime/kubernetes.ts";
import { RunningScaler } from "../../scaler/support/running-scaler.ts";
import { testPipeline } from "../../scaler/support/test-pipeline.ts";
import { KubernetesApi, type KubernetesObject, refuse } from "../../support/kubernetes-api.ts";
import { CLIENT_PAIR, SERVER_PAIR, TEST_CA } from "../../support/kubernetes-certificates.ts";

const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
const AUTHENTICATIONS = "/apis/keda.sh/v1alpha1/triggerauthentications";
const AUTOSCALERS = "/apis/autoscaling/v2/horizontalpodautoscalers";
const DEPLOYMENTS = "/apis/apps/v1/deployments";
const PODS = "/api/v1/pods";
const SECRETS = "/api/v1/secrets";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices";

// biome-ignore lint/suspicious/noExplicitAny: tests edit objects of many kinds
type Any = any;

const pipeline = testPipeline({ stages: ["detect"] });

describe("doctor", () => {
  let api: KubernetesApi;
  let client: KubernetesClient;
  let running: RunningScaler;
  let objects: { scaledObject: Any; autoscaler: Any; deployment: Any };

  before(async () => {
    running = await RunningScaler.start({ pipelines: [pipeline] });
    await running.planFor(20);
  });

  after(() => running.close());

  beforeEach(async () => {
    api = await KubernetesApi.start();
    client = new KubernetesClient(api.config());
    for (const collection of [SCALED_OBJECTS, AUTOSCALERS, DEPLOYMENTS, PODS]) api.collections.add(collection);
    api.put(CRDS, {
      metadata: { name: "scaledobjects.keda.sh", labels: { "app.kubernetes.io/version": "2.21.0" } },
      spec: { versions: [{ schema: { properties: { tolerance: {} } } }] },
    });
    api.put(API_SERVICES, {
      metadata: { name: "v1beta1.external.metrics.k8s.io" },
      spec: { service: { namespace: "keda", name: "keda-operator-metrics-apiserver" } },
      status: { conditions: [{ type: "Available", status: "True" }] },
    });
    const [scaledObject] = manifestsOf(pipeline, {
      scalerAddress: `127.0.0.1:${running.scaler.ports.keda}`,
      switcherAddress: null,
      tlsSecret: null,
      scalerNamespace: null,
      ha: false,
      serviceAccount: "s",
      pipelinesFromCluster: false,
      switcherTokens: false,
      targets: [],
      image: null,
      modelsClaim: null,
    }).filter(object => (object as { kind: string }).kind === "ScaledObject") as Any[];
    objects = {
      scaledObject: { ...structuredClone(scaledObject), status: { conditions: [{ type: "Ready", status: "True" }] } },
      autoscaler: {
        metadata: { namespace: "shop", name: "keda-hpa-cards-detect" },
        spec: {
          minReplicas: 1,
          maxReplicas: 10,
          behavior: structuredClone(scaledObject.spec.advanced.horizontalPodAutoscalerConfig.behavior),
        },
        status: { conditions: [{ type: "ScalingActive", status: "True" }] },
      },
      deployment: {
        metadata: { namespace: "shop", name: "cards-detect" },
        spec: {
          replicas: 1,
          selector: { matchLabels: { app: "cards-detect" } },
          strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: "25%" } },
        },
      },
    };
  });

  afterEach(async () => {
    client.close();
    await api.close();
  });

  async function run(options: Partial<DoctorOptions> = {}): Promise<readonly Finding[]> {
    api.put(SCALED_OBJECTS, objects.scaledObject as KubernetesObject);
    if (objects.autoscaler) api.put(AUTOSCALERS, objects.autoscaler as KubernetesObject);
    if (objects.deployment) api.put(DEPLOYMENTS, objects.deployment as KubernetesObject);
    return await examine({
      client,
      pipeline,
      namespace: "shop",
      kedaNamespace: "keda",
      scalerUrl: `http://127.0.0.1:${running.scaler.ports.http}`,
      scalerPair: null,
      nowMs: Date.now(),
      ...options,
    });
  }

  function only(findings: readonly Finding[], check: string): Finding {
    const found = findings.filter(finding => finding.check === check);
    assert.equal(found.length, 1, `${check}: ${formatFindings(findings)}`);
    return found[0] as Finding;
  }

  /** Only this is wrong, it is `kind`, and it says so. */
  async function wrong(check: string, kind: Finding["kind"], what: RegExp, options?: Partial<DoctorOptions>) {
    const findings = await run(options);
    const bad = findings.filter(finding => finding.kind !== "ok");
    assert.deepEqual([...new Set(bad.map(finding => finding.check))], [check], formatFindings(findings));
    const found = bad.find(finding => what.test(finding.what));
    assert.ok(found, formatFindings(bad));
    assert.equal(found.kind, kind);
    assert.ok(found.fix);
  }

  const trigger = (): Any => objects.scaledObject.spec.triggers[0];

  it("finds nothing wrong with what `manifests` writes, and changes nothing", async () => {
    const findings = await run();
    assert.deepEqual(
      findings.filter(({ kind }) => kind !== "ok"),
      [],
      formatFindings(findings),
    );
    assert.match(only(findings, "api-server").what, /v1\.36/);
    assert.match(only(findings, "keda").what, /2\.21\.0/);
    assert.match(only(findings, "scaler").what, /metric variscale-cards-detect for shop\/cards-detect/);
    assert.match(only(findings, "tolerance").what, /exactly/);
    assert.match(only(findings, "rollout").what, /takes no replica away, and adds up to 3 pods to 10/);
    assert.match(only(findings, "metrics-source").what, /^load comes: 20\.0 requests a second/);
    assert.deepEqual(
      findings.filter(({ check }) => check === "clock" || check === "versions").map(({ where }) => where),
      [
        api.config().server,
        ...Array<string>(2).fill(`scaler ${trigger().metadata.scalerAddress}`),
        "pipeline shop/cards",
      ],
    );
    assert.ok(api.seen.every(request => request.method === "GET"));
  });

  it("says only that the API server can't be reached when it can't", async () => {
    await api.close();
    const options = {
      client,
      pipeline,
      namespace: "shop",
      kedaNamespace: "keda",
      scalerUrl: null,
      scalerPair: null,
      nowMs: 0,
    };
    const findings = await examine(options);
    assert.equal(only(findings, "api-server").kind, "fail");
    assert.equal(findings.length, 1);
    api = await KubernetesApi.start();
  });

  it("T1: looks at the live HPA, not at what the ScaledObject says", async () => {
    delete objects.autoscaler.spec.behavior.scaleUp.tolerance;
    const tolerant = await run();
    assert.equal(only(tolerant, "tolerance").kind, "warn");
    assert.match(only(tolerant, "tolerance").what, /up the cluster's default, usually 0\.1, down 0/);
    // T2: surge pods are within the tolerance.
    assert.match(only(tolerant, "rollout").what, /adds up to 3 pods, and an HPA with a tolerance may keep them/);
    const [found] = (await run()).filter(finding => finding.check === "tolerance");
    assert.match(found?.fix ?? "", /drops the field before Kubernetes 1\.35/);
    delete objects.scaledObject.spec.advanced;
    const [unasked] = (await run()).filter(finding => finding.check === "tolerance");
    assert.match(unasked?.fix ?? "", /set .*scaleUp\.tolerance/);
  });

  it("T3, T4, T6: allows one trigger", async () => {
    objects.scaledObject.spec.triggers.push({ type: "cpu", metadata: { value: "50" } });
    await wrong("one-trigger", "fail", /2 triggers/);
  });

  it("knows metric types", async () => {
    trigger().metricType = "Value";
    await wrong("metric-type", "fail", /metricType Value/);
    delete trigger().metricType;
    await run();
    trigger().metadata.metricType = "AverageValue";
    assert.match(only(await run(), "metric-type").what, /in the trigger's metadata/);
  });

  it("T18: knows steps that are limited", async () => {
    objects.autoscaler.spec.behavior.scaleUp.policies = [{ type: "Pods", value: 4, periodSeconds: 15 }];
    await wrong("policies", "warn", /scaleUp is limited/);
    objects.autoscaler.spec.behavior.scaleUp.policies = [{ type: "Percent", value: 900, periodSeconds: 15 }];
    assert.equal(only(await run(), "steps").kind, "ok");
    objects.autoscaler.spec.behavior.scaleDown.selectPolicy = "Disabled";
    await wrong("steps", "fail", /scaleDown is disabled/);
  });

  it("T19: knows the window of 300 s", async () => {
    delete objects.autoscaler.spec.behavior.scaleDown.stabilizationWindowSeconds;
    await wrong("windows", "warn", /300 s/);
  });

  it("T20: knows TLS keys that KEDA does not read", async () => {
    trigger().metadata.caCert = "PEM";
    const found = only(await run(), "tls-keys");
    assert.equal(found.kind, "fail");
    assert.match(found.what, /caCert in the trigger's metadata/);
  });

  it("T21: knows fallbacks that take replicas away", async () => {
    objects.scaledObject.spec.fallback.replicas = 0;
    await wrong("fallback", "fail", /0 replicas/);
    objects.scaledObject.spec.fallback = { failureThreshold: 3, replicas: 2 };
    await wrong("fallback", "warn", /also where more are there/);
    delete objects.scaledObject.spec.fallback;
    await wrong("fallback", "warn", /no fallback/);
  });

  it("T23: names who sets the replicas besides the autoscaler", async () => {
    const owns = (manager: string, subresource?: string) => ({
      manager,
      ...(subresource ? { subresource } : {}),
      fieldsV1: { "f:spec": { "f:replicas": {} } },
    });
    objects.deployment.metadata.managedFields = [owns("keda", "scale")];
    assert.equal(only(await run(), "replicas-owner").kind, "ok");
    objects.deployment.metadata.managedFields = [owns("helm"), owns("keda", "scale")];
    await wrong("replicas-owner", "warn", /set by helm:/);
    const applied = JSON.stringify({ spec: { replicas: 3 } });
    objects.deployment.metadata = {
      ...objects.deployment.metadata,
      managedFields: [],
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": applied },
    };
    await wrong("replicas-owner", "warn", /kubectl apply/);
  });

  it("T24: knows names that are too long", async () => {
    objects.scaledObject.spec.advanced.horizontalPodAutoscalerConfig.name = "h".repeat(64);
    objects.autoscaler.metadata.name = "h".repeat(64);
    await wrong("names", "fail", /64 characters/);
  });

  it("T25: knows whose the external metrics are", async () => {
    for (const [namespace, name] of [
      ["datadog", "datadog-cluster-agent"],
      ["keda", "prometheus-adapter"],
    ]) {
      api.put(API_SERVICES, {
        metadata: { name: "v1beta1.external.metrics.k8s.io" },
        spec: { service: { namespace, name } },
        status: { conditions: [{ type: "Available", status: "True" }] },
      });
      await wrong("external-metrics", "fail", new RegExp(`belongs to ${namespace}/${name}`));
    }
  });

  it("knows pauses, and what KEDA and the HPA complain of", async () => {
    objects.scaledObject.metadata.annotations = { "autoscaling.keda.sh/paused-replicas": "3" };
    // KEDA has taken the HPA away.
    const autoscaler = objects.autoscaler;
    objects.autoscaler = null;
    await wrong("paused", "warn", /paused-replicas: 3/);
    assert.equal(only(await run(), "hpa").kind, "ok");
    objects.autoscaler = autoscaler;
    objects.scaledObject.metadata.annotations = {};
    objects.scaledObject.status.conditions = [
      { type: "Ready", status: "False", reason: "TriggerError", message: "got empty metric spec" },
    ];
    await wrong("ready", "fail", /TriggerError got empty metric spec/);
    objects.scaledObject.status.conditions = [{ type: "Ready", status: "True" }];
    objects.autoscaler.status.conditions = [
      { type: "ScalingActive", status: "False", reason: "FailedGetExternalMetric", message: "m" },
    ];
    await wrong("hpa-active", "fail", /FailedGetExternalMetric m/);
  });

  it("knows what is not there", async () => {
    objects.autoscaler = null;
    await wrong("hpa", "fail", /is not there/);
    api.remove(DEPLOYMENTS, "shop", "cards-detect");
    objects.deployment = null;
    const findings = await run();
    assert.equal(only(findings, "target").kind, "fail");
  });

  it("compares bounds and stages with the pipeline file", async () => {
    objects.scaledObject.spec.maxReplicaCount = 5;
    objects.autoscaler.spec.maxReplicas = 5;
    objects.autoscaler.spec.minReplicas = 2;
    assert.match(only(await run(), "hpa-bounds").what, /allows 2 to 5 replicas and the ScaledObject 1 to 5/);
    objects.autoscaler.spec.minReplicas = 1;
    await wrong("bounds", "warn", /allows 1 to 5 replicas and the pipeline file 1 to 10/);
    objects.scaledObject.spec.minReplicaCount = 50;
    objects.scaledObject.spec.maxReplicaCount = 60;
    objects.autoscaler.spec.minReplicas = 50;
    objects.autoscaler.spec.maxReplicas = 60;
    await wrong("bounds", "fail", /no count is within both/);
    const two = await run({ pipeline: testPipeline() });
    assert.match(only(two, "coverage").what, /no ScaledObject scales stage read/);
  });

  it("says what the scaler refuses, and that nobody answers", async () => {
    trigger().metadata.stage = "blur";
    const refused = await run();
    assert.match(only(refused, "scaler").what, /refuses shop\/cards-detect: .*no stage `blur`/);
    trigger().metadata.stage = "detect";
    trigger().metadata.scalerAddress = "127.0.0.1:1";
    await wrong("scaler", "fail", /does not answer/);
    trigger().metadata.scalerAddress = "scaler.no-such-namespace.svc.cluster.local:6000";
    await wrong("scaler", "warn", /known in the cluster alone/);
  });

  it("checks the certificates that KEDA presents and the scaler's own", async () => {
    api.put(AUTHENTICATIONS, {
      metadata: { namespace: "shop", name: "tls" },
      spec: {
        secretTargetRef: ["caCert:ca.crt", "tlsClientCert:tls.crt", "tlsClientKey:tls.key"].map(pair => {
          const [parameter, key] = pair.split(":");
          return { parameter, key, name: "keda-tls" };
        }),
      },
    });
    const encode = (text: string) => Buffer.from(text).toString("base64");
    const secret = (key: string) => ({
      metadata: { namespace: "shop", name: "keda-tls" },
      data: { "ca.crt": encode(TEST_CA), "tls.crt": encode(CLIENT_PAIR.certificate), "tls.key": encode(key) },
    });
    trigger().authenticationRef = { name: "tls" };
    api.put(SECRETS, secret(SERVER_PAIR.key));
    const halves = await run();
    assert.match(only(halves, "tls-pair").what, /key is not the certificate's/);
    // The scaler of this test speaks no TLS.
    assert.equal(only(halves, "scaler").kind, "fail");
    api.put(SECRETS, secret(CLIENT_PAIR.key));
    const scalerPair = { ...SERVER_PAIR, ca: TEST_CA, where: "/tls" };
    const right = await run({ scalerPair });
    assert.ok(right.filter(({ check }) => check.startsWith("tls-")).every(({ kind }) => kind === "ok"));
    assert.ok(right.some(({ check, what }) => check === "tls-name" && /127\.0\.0\.1/.test(what)));
    const late = await run({ scalerPair, nowMs: Date.parse("2226-01-01") });
    assert.equal(late.filter(({ check, kind }) => check === "tls-expiry" && kind === "fail").length, 2);
    trigger().metadata.scalerAddress = "elsewhere.example:6000";
    const other = await run({ scalerPair });
    assert.match(only(other, "tls-name").what, /not valid for elsewhere\.example/);
    api.remove(SECRETS, "shop", "keda-tls");
    assert.equal(only(await run(), "tls-pair").kind, "fail");
  });

  it("reads what the scaler says of itself through the API server, where only the cluster knows its name", async () => {
    trigger().metadata.scalerAddress = "variscale-scaler.shop.svc.cluster.local:6000";
    const service = "/api/v1/namespaces/shop/services/variscale-scaler:8080/proxy";
    const asked: string[] = [];
    api.intercept = ({ path }, response) => {
      if (!path.startsWith(service)) return false;
      asked.push(path.slice(service.length));
      void fetch(running.url(path.slice(service.length))).then(async answer => {
        response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
      });
      return true;
    };
    const findings = await run({ scalerUrl: null });
    assert.equal(only(findings, "metrics-source").kind, "ok", formatFindings(findings));
    assert.deepEqual(asked, ["/api/v1/pipelines", "/api/v1/pipelines/shop/cards"]);
    api.intercept = ({ path }, response) =>
      path.startsWith(service) && refuse(response, 503, "ServiceUnavailable", "no endpoints available");
    const away = only(await run({ scalerUrl: null }), "scaler-http");
    assert.equal(away.kind, "warn");
    assert.match(away.what, /no list of pipelines: 503/);
    assert.match(away.fix ?? "", /port-forward/);
  });

  it("knows pods that wait, and why, of the stage alone", async () => {
    const pod = (name: string, labels: object, status: object): KubernetesObject => ({
      metadata: { namespace: "shop", name, labels, creationTimestamp: "2026-01-01T00:00:00Z" },
      status,
    });
    const full = { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" };
    const pending = { phase: "Pending", conditions: [full] };
    api.put(PODS, pod("other", { app: "elsewhere" }, pending));
    assert.equal(only(await run(), "pods").kind, "ok");
    api.put(PODS, pod("a", { app: "cards-detect" }, pending));
    api.put(PODS, pod("b", { app: "cards-detect" }, pending));
    await wrong("pods", "warn", /^2 of 2 pods not ready: Unschedulable: 0\/3 nodes are available \(a and 1 more\)$/);
  });

  it("knows a rollout that takes replicas away, and pods that a quota forbids", async () => {
    delete objects.deployment.spec.strategy.rollingUpdate.maxUnavailable;
    await wrong("rollout", "warn", /takes up to 2 of 10 replicas away/);
    objects.deployment.spec.strategy = { rollingUpdate: { maxUnavailable: 0 } };
    objects.deployment.status = {
      conditions: [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota: q" }],
    };
    await wrong("rollout", "fail", /pods can't be made: FailedCreate: exceeded quota: q/);
  });

  it("knows an API server whose clock is off", async () => {
    api.intercept = (_request, response) => {
      response.setHeader("date", new Date(Date.now() - 90_000).toUTCString());
      return false;
    };
    const clocks = (await run()).filter(({ check }) => check === "clock");
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
    api.put(DEPLOYMENTS, operator("registry.example/keda:2.21.0@sha256:0", 1));
    assert.equal(only(await run(), "keda-operator").what, "runs 2.21.0");
    api.put(DEPLOYMENTS, operator("registry.example:5000/keda:2.17.1", 1));
    await wrong("keda-operator", "warn", /runs 2\.17\.1 with the CRDs of 2\.21\.0/);
    api.put(DEPLOYMENTS, operator("registry.example/keda:2.21.0", 0));
    await wrong("keda-operator", "fail", /is not ready/);
  });

  it("says that the load source gives nothing", async () => {
    const away = await RunningScaler.start({ pipelines: [pipeline] });
    try {
      away.gateway.answer = response => response.writeHead(503).end();
      for (let second = 0; second < 3; second++) await away.clock.advance(1000);
      const scalerUrl = away.url("");
      await wrong("metrics-source", "fail", /no load comes: .*503/, { scalerUrl });
    } finally {
      await away.close();
    }
  });

  it("says that pipelines of the cluster are not followed, and by what they would be", async () => {
    api.collections.add("/api/v1/configmaps");
    const from = { objects: true, configMaps: false, scaledObjects: false };
    const watchedPipelines = { config: api.config(), namespaces: ["shop"], ...from };
    const without = await RunningScaler.start({ pipelines: [pipeline], watchedPipelines });
    try {
      await without.planFor(20);
      while ((await fetch(without.url("/readyz"))).status !== 200) await new Promise(r => setTimeout(r, 5));
      const scalerUrl = without.url("");
      await wrong("pipeline-sources", "warn", /InferencePipelines are not watched: .*manifests --crd/, { scalerUrl });
    } finally {
      await without.close();
    }
  });

  it("warns of what it may not look at", async () => {
    api.intercept = (request, response) =>
      request.path.includes("apiextensions") && refuse(response, 403, "Forbidden", "no");
    await wrong("keda", "warn", /could not be checked/);
  });

  it("says so where there is nothing of variscale", async () => {
    const findings = await run({ pipeline: null, namespace: "empty" });
    assert.equal(only(findings, "scaled-objects").kind, "warn");
    assert.ok((await run({ pipeline: null, namespace: null })).some(({ check }) => check === "scaler"));
  });
});

describe("formatFindings()", () => {
  it("has a line for each finding, its fix below, and counts", () => {
    const findings: Finding[] = [
      { kind: "ok", check: "keda", where: "k", what: "is there", fix: null },
      { kind: "fail", check: "scaler", where: "s", what: "is away", fix: "start it" },
    ];
    assert.equal(
      formatFindings(findings),
      [
        "ok    keda    k: is there",
        "fail  scaler  s: is away",
        "              → start it",
        "1 ok, 0 warnings, 1 failures",
      ].join("\n"),
    );
  });
});
