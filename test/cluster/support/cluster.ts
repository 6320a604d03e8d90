import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADDRESS, SERVICE_RANGE } from "./addresses.ts";
import { AUDIT_POLICY, AuditLog } from "./audit-log.ts";
import { KubernetesApi } from "./kubernetes-api.ts";
import { makeClusterPki, type Pki } from "./pki.ts";
import { Program } from "./program.ts";

/** Folders of `scripts/cluster-tools.mjs`, and of Debian's Prometheus. */
export interface Tools {
  readonly etcd: string;
  readonly kubernetes: string;
  readonly kwok: string;
  readonly keda: string;
  readonly helm: string;
  readonly coredns: string;
  readonly prometheus: string;
}

/** From one sync of an HPA to its next; 15 s where nobody changes it. */
export const HPA_SYNC_SECONDS = 5;

/** A real control plane: etcd, API server, controllers, scheduler and KEDA; nodes and pods are KWOK's. */
export interface Cluster {
  readonly tools: Tools;
  /** Nothing in it outlives the run. */
  readonly folder: string;
  readonly kubeconfig: string;
  readonly pki: Pki;
  readonly api: KubernetesApi;
  readonly audit: AuditLog;
  readonly etcd: Program;
  readonly apiServer: Program;
  readonly kedaOperator: Program;
  readonly programs: readonly Program[];
  /** Metrics of the KEDA operator, as Prometheus reads them. */
  kedaMetrics(): Promise<string>;
  untilApiAnswers(): Promise<void>;
  untilKedaAnswers(): Promise<void>;
  close(): Promise<void>;
}

export async function startCluster(tools: Tools, folder: string): Promise<Cluster> {
  mkdirSync(join(folder, "log"), { recursive: true });
  const pki = makeClusterPki(join(folder, "pki"));
  const kubeconfig = writeKubeconfig(folder, pki);
  const api = new KubernetesApi(API_URL, pki);
  const program = (name: string, command: string, args: readonly string[], env: Record<string, string> = {}) =>
    new Program({ name, command, args, env: { KUBECONFIG: kubeconfig, ...env }, logFile: join(folder, "log", name) });
  const etcd = program("etcd", join(tools.etcd, "bin/server"), etcdArgs(folder));
  const apiServer = program("api-server", join(tools.kubernetes, "bin/kube-apiserver"), apiServerArgs(folder, pki));
  const controllers = join(tools.kubernetes, "bin/kube-controller-manager");
  const controlPlane = [
    program("controller-manager", controllers, controllerArgs(kubeconfig, pki)),
    program("scheduler", join(tools.kubernetes, "bin/kube-scheduler"), schedulerArgs(kubeconfig)),
    program("kwok", join(tools.kwok, "bin/kwok"), kwokArgs(tools.kwok, kubeconfig)),
  ];
  const kedaCertificates = pki.tlsFolder("keda", "ca");
  const kedaOperator = program("keda-operator", join(tools.keda, "bin/operator"), operatorArgs(kedaCertificates), {
    ...KEDA_ENV,
    POD_NAME: "keda-operator-0",
    OPERATOR_NAME: "keda-operator",
    // Hundreds of ScaledObjects come and go at once.
    KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES: "50",
  });
  const adapterArguments = adapterArgs(kedaCertificates, kubeconfig);
  const adapter = program("keda-adapter", join(tools.keda, "bin/adapter"), adapterArguments, KEDA_ENV);
  const programs = [etcd, apiServer, ...controlPlane, kedaOperator, adapter];
  const untilApiAnswers = () => apiServer.until(() => answers(api, "/readyz"), "ready");
  const untilKedaAnswers = () => adapter.until(() => answers(api, EXTERNAL_METRICS), "serving external metrics");
  const close = async (): Promise<void> => {
    for (const running of [...programs].reverse()) await running.stop(running === etcd ? "SIGKILL" : "SIGTERM");
  };
  try {
    etcd.start();
    apiServer.start();
    await untilApiAnswers();
    await addKedaObjects(api, tools, pki);
    for (const next of [...controlPlane, kedaOperator, adapter]) next.start();
    await untilKedaAnswers();
  } catch (error) {
    await close();
    const logs = programs
      .filter(started => started.pid !== 0)
      .map(({ name, log }) => `${name}: …${log().slice(-1500)}`);
    throw new Error([error instanceof Error ? error.message : error, ...logs].join("\n\n"));
  }
  const kedaMetrics = async () => (await fetch(`http://${ADDRESS.keda}:8080/metrics`)).text();
  const audit = new AuditLog(join(folder, "audit.log"));
  return {
    ...{ tools, folder, kubeconfig, pki, api, audit, etcd, apiServer, kedaOperator, programs },
    ...{ kedaMetrics, untilApiAnswers, untilKedaAnswers, close },
  };
}

/** Its node's annotation; the pods of other nodes are none of KWOK's. */
const KWOK_NODE = "kwok.x-k8s.io/node";
const API_URL = `https://${ADDRESS.apiServer}:6443`;
const KEDA_ENV = { POD_NAMESPACE: "keda", WATCH_NAMESPACE: "", KEDA_CLUSTER_OBJECT_NAMESPACE: "keda" };
const EXTERNAL_METRICS = "/apis/external.metrics.k8s.io/v1beta1";

async function answers(api: KubernetesApi, path: string): Promise<boolean> {
  try {
    return (await api.call("GET", path)).status === 200;
  } catch {
    return false;
  }
}

function writeKubeconfig(folder: string, pki: Pki): string {
  const file = join(folder, "kubeconfig");
  const cluster = { server: API_URL, "certificate-authority": pki.file("ca.crt") };
  const user = { "client-certificate": pki.file("admin.crt"), "client-key": pki.file("admin.key") };
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster }],
      users: [{ name: "admin", user }],
      contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
      "current-context": "test",
    }),
  );
  return file;
}

function etcdArgs(folder: string): string[] {
  const client = `http://${ADDRESS.etcd}:2379`;
  return [
    `--data-dir=${join(folder, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=http://${ADDRESS.etcd}:2380`,
    "--unsafe-no-fsync",
  ];
}

function apiServerArgs(folder: string, pki: Pki): string[] {
  const policy = join(folder, "audit-policy.json");
  writeFileSync(policy, JSON.stringify(AUDIT_POLICY));
  return [
    `--etcd-servers=http://${ADDRESS.etcd}:2379`,
    "--secure-port=6443",
    `--bind-address=${ADDRESS.apiServer}`,
    `--advertise-address=${ADDRESS.apiServer}`,
    `--tls-cert-file=${pki.file("api-server.crt")}`,
    `--tls-private-key-file=${pki.file("api-server.key")}`,
    `--client-ca-file=${pki.file("ca.crt")}`,
    "--authorization-mode=RBAC",
    `--service-cluster-ip-range=${SERVICE_RANGE}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-signing-key-file=${pki.file("service-accounts.key")}`,
    `--service-account-key-file=${pki.file("service-accounts.pub")}`,
    `--requestheader-client-ca-file=${pki.file("front.crt")}`,
    "--requestheader-allowed-names=front-proxy",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-username-headers=X-Remote-User",
    `--proxy-client-cert-file=${pki.file("proxy.crt")}`,
    `--proxy-client-key-file=${pki.file("proxy.key")}`,
    // The one node is always there, also when the machine is too busy for its heartbeat; see the controllers' arguments.
    "--disable-admission-plugins=TaintNodesByCondition",
    // There is no kube-proxy: the aggregator goes to endpoints, not to Services' own addresses.
    "--enable-aggregator-routing=true",
    `--audit-policy-file=${policy}`,
    `--audit-log-path=${join(folder, "audit.log")}`,
    "--audit-log-mode=blocking",
  ];
}

function controllerArgs(kubeconfig: string, pki: Pki): string[] {
  return [
    ...componentArgs(kubeconfig, 10257),
    "--controllers=*,-node-lifecycle-controller",
    `--service-account-private-key-file=${pki.file("service-accounts.key")}`,
    `--root-ca-file=${pki.file("ca.crt")}`,
    `--horizontal-pod-autoscaler-sync-period=${HPA_SYNC_SECONDS}s`,
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
  ];
}

function schedulerArgs(kubeconfig: string): string[] {
  return [...componentArgs(kubeconfig, 10259), "--kube-api-qps=500", "--kube-api-burst=1000"];
}

function componentArgs(kubeconfig: string, port: number): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--bind-address=${ADDRESS.controllers}`,
    `--secure-port=${port}`,
    "--leader-elect=false",
  ];
}

function kwokArgs(tools: string, kubeconfig: string): string[] {
  const stages = ["node/fast/node-initialize.yaml", "pod/fast/pod-ready.yaml", "pod/fast/pod-delete.yaml"];
  return [
    `--kubeconfig=${kubeconfig}`,
    "--manage-all-nodes=false",
    `--manage-nodes-with-annotation-selector=${KWOK_NODE}=fake`,
    `--node-ip=${ADDRESS.node}`,
    ...stages.map(stage => `--config=${join(tools, "stage", stage)}`),
  ];
}

function operatorArgs(certificates: string): string[] {
  return [
    `--metrics-bind-address=${ADDRESS.keda}:8080`,
    `--health-probe-bind-address=${ADDRESS.keda}:8081`,
    `--metrics-service-bind-address=${ADDRESS.keda}:9666`,
    `--cert-dir=${certificates}`,
    "--enable-cert-rotation=false",
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
    "--zap-log-level=debug",
    "--zap-encoder=json",
  ];
}

function adapterArgs(certificates: string, kubeconfig: string): string[] {
  return [
    "--secure-port=6443",
    `--bind-address=${ADDRESS.adapter}`,
    `--cert-dir=${certificates}`,
    `--tls-cert-file=${join(certificates, "tls.crt")}`,
    `--tls-private-key-file=${join(certificates, "tls.key")}`,
    `--client-ca-file=${join(certificates, "ca.crt")}`,
    `--metrics-service-address=${ADDRESS.keda}:9666`,
    "--metrics-service-grpc-authority=keda-operator.keda.svc",
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--lister-kubeconfig=${kubeconfig}`,
    "--port=8082",
  ];
}

/** KEDA's CRDs, its place as the external metrics API, and a node that has room for thousands of pods. */
async function addKedaObjects(api: KubernetesApi, tools: Tools, pki: Pki): Promise<void> {
  const crds = join(tools.keda, "crd");
  for (const file of readdirSync(crds).filter(name => name.endsWith(".yaml"))) {
    const text = readFileSync(join(crds, file), "utf8");
    const name = /^ {2}name: (\S+)$/m.exec(text)?.[1];
    await api.applyAt(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`, text);
  }
  const name = "keda-metrics-apiserver";
  const namespace = "keda";
  const version = "v1beta1";
  const group = "external.metrics.k8s.io";
  const amount = { cpu: "4096", memory: "64Ti", pods: "5000" };
  await api.apply(
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { ports: [{ port: 443, targetPort: 6443 }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ port: 6443, protocol: "TCP", name: "" }],
      endpoints: [{ addresses: [ADDRESS.adapter], conditions: { ready: true } }],
    },
    {
      apiVersion: "apiregistration.k8s.io/v1",
      kind: "APIService",
      metadata: { name: `${version}.${group}` },
      spec: {
        ...{ group, version, groupPriorityMinimum: 100, versionPriority: 100 },
        service: { name, namespace, port: 443 },
        caBundle: readFileSync(pki.file("ca.crt")).toString("base64"),
      },
    },
    {
      apiVersion: "v1",
      kind: "Node",
      metadata: {
        name: "node-1",
        annotations: { [KWOK_NODE]: "fake" },
        labels: { "kubernetes.io/hostname": "node-1" },
      },
    },
  );
  await api.applyAt(
    "/api/v1/nodes/node-1/status",
    JSON.stringify({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "node-1" },
      status: { allocatable: amount, capacity: amount },
    }),
  );
}
