import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "mocha";
import { type DoctorOptions, examine } from "../../../cli/doctor/doctor.ts";
import { type Finding, formatFindings } from "../../../cli/doctor/finding.ts";
import { manifestsOf } from "../../../cli/manifests/manifests.ts";
import { KubernetesClient } from "../../../runtime/kubernetes.ts";
import { RunningScaler } from "../../scaler/support/running-scaler.ts";
import { testPipeline } from "../../scaler/support/test-pipeline.ts";
import { KubernetesApi, type KubernetesObject } from "../../support/kubernetes-api.ts";

const SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/scaledobjects";
const AUTOSCALERS = "/apis/autoscaling/v2/horizontalpodautoscalers";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
export const DEPLOYMENTS = "/apis/apps/v1/deployments";
export const PODS = "/api/v1/pods";
export const API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices";

// biome-ignore lint/suspicious/noExplicitAny: tests edit objects of many kinds
type Any = any;

export const PIPELINE = testPipeline({ stages: ["detect"] });

/** A cluster in which all is as `manifests` writes it, until a test edits its objects, and a scaler with a plan of the pipeline. */
class ExaminedCluster {
  api!: KubernetesApi;
  client!: KubernetesClient;
  objects!: { readonly scaledObject: Any; autoscaler: Any; deployment: Any };
  running!: RunningScaler;

  async startScaler(): Promise<void> {
    this.running = await RunningScaler.start({ pipelines: [PIPELINE] });
    await this.running.planFor(20);
  }

  async open(): Promise<void> {
    const api = await KubernetesApi.start();
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
    this.api = api;
    this.client = new KubernetesClient(api.config());
    this.objects = objectsOf(this.running);
  }

  get trigger(): Any {
    return this.objects.scaledObject.spec.triggers[0];
  }

  async run(options: Partial<DoctorOptions> = {}): Promise<readonly Finding[]> {
    const { scaledObject, autoscaler, deployment } = this.objects;
    this.api.put(SCALED_OBJECTS, scaledObject as KubernetesObject);
    if (autoscaler) this.api.put(AUTOSCALERS, autoscaler as KubernetesObject);
    if (deployment) this.api.put(DEPLOYMENTS, deployment as KubernetesObject);
    return await examine({
      client: this.client,
      pipeline: PIPELINE,
      namespace: "shop",
      kedaNamespace: "keda",
      scaler: { url: this.running.url(""), token: null },
      scalerPair: null,
      nowMs: Date.now(),
      ...options,
    });
  }

  /** Only this is wrong, it is `kind`, and it says so. */
  async wrong(check: string, kind: Finding["kind"], what: RegExp, options?: Partial<DoctorOptions>): Promise<void> {
    const findings = await this.run(options);
    const bad = findings.filter(isWrong);
    assert.deepEqual([...new Set(bad.map(finding => finding.check))], [check], formatFindings(findings));
    const found = bad.find(finding => what.test(finding.what));
    assert.ok(found, formatFindings(bad));
    assert.equal(found.kind, kind);
    assert.ok(found.fix);
  }

  async close(): Promise<void> {
    this.client.close();
    await this.api.close();
  }
}

/** For a suite: another cluster for each test, and one scaler for all of them. */
export function examinedCluster(): ExaminedCluster {
  const cluster = new ExaminedCluster();
  before(() => cluster.startScaler());
  after(() => cluster.running.close());
  beforeEach(() => cluster.open());
  afterEach(() => cluster.close());
  return cluster;
}

/** Its scaler listens to this machine alone, without what closes one to others of a cluster. */
const OFF_HERE = ["mutual-tls", "switcher-identity"];

export function isWrong({ kind, check }: Finding): boolean {
  return kind !== "ok" && !OFF_HERE.includes(check);
}

export function only(findings: readonly Finding[], check: string): Finding {
  const found = findings.filter(finding => finding.check === check);
  assert.equal(found.length, 1, `${check}: ${formatFindings(findings)}`);
  return found[0] as Finding;
}

function objectsOf(running: RunningScaler): ExaminedCluster["objects"] {
  const [scaledObject] = manifestsOf(PIPELINE, {
    scalerAddress: `127.0.0.1:${running.scaler.ports.keda}`,
    switcherAddress: null,
    tlsSecret: null,
    scalerNamespace: null,
    ha: false,
    serviceAccount: "s",
    pipelinesFromCluster: false,
    switcherTokens: "none",
    audience: null,
    targets: [],
    image: null,
    modelsClaim: null,
  }).filter(object => (object as { kind: string }).kind === "ScaledObject") as Any[];
  return {
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
}
