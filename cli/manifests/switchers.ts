import type { Pipeline, Stage } from "../../domain/pipeline.ts";
import { switcherEnvironment } from "../../runtime/switcher-environment.ts";
import { SWITCHER_AUDIENCE } from "../../scaler/token-review.ts";
import { switcherConfig } from "../up/switcher-config.ts";
import { objectName } from "./object-name.ts";

export interface SwitchersOptions {
  readonly image: string;
  /** PersistentVolumeClaim with the model files. */
  readonly modelsClaim: string;
  /** host:port of the scaler for switchers. */
  readonly scalerAddress: string;
  /** Secret with ca.crt, tls.crt and tls.key, by which the scaler knows them; null: plaintext. */
  readonly tlsSecret: string | null;
  /** They show the token of their pod to the scaler. */
  readonly showToken: boolean;
  /** The token is for it; null: what the scaler takes by default. */
  readonly audience: string | null;
}

const CONFIG_FOLDER = "/etc/variscale";
const MODEL_FOLDER = "/models";
const STATE_FOLDER = "/var/lib/variscale";
const TLS_FOLDER = "/etc/variscale-tls";
const TOKEN_FOLDER = "/var/run/secrets/variscale";
/** The kubelet renews it when four fifths of it are over. */
const TOKEN_SECONDS = 3600;
/** Switchers run as it where their stage names no service accounts; the scaler of the chart takes it by default. */
const ACCOUNT = "variscale-manifests";
/** From the end of readiness until nobody sends any more. */
const PROPAGATION_SECONDS = 5;

/**
 * The switchers of a stage: configuration, headless Service and Deployment. The Deployment names no replicas: applied again, it would
 * set back what KEDA set.
 */
export function switchersOf(pipeline: Pipeline, stage: Stage, options: SwitchersOptions): object[] {
  const { namespace } = pipeline.key;
  const name = objectName(pipeline.key.name, stage.name);
  const labels = {
    "app.kubernetes.io/name": "variscale-switcher",
    "app.kubernetes.io/instance": name,
    "app.kubernetes.io/part-of": pipeline.key.name,
  };
  const metadata = { name, namespace, labels };
  // In a pod of its own a switcher has no parent that claims models for it.
  const {
    pod: _pod,
    modelClaims: _claims,
    ...config
  } = switcherConfig(pipeline, stage, "", {
    host: "0.0.0.0",
    modelFolder: MODEL_FOLDER,
    logLevel: "info",
    scalerAddress: options.scalerAddress,
    stateFile: `${STATE_FOLDER}/assignment.json`,
    crowding: 1,
  });
  const file = { ...config, adminHost: "127.0.0.1", ports: { http: 8000, grpc: 8001, admin: 8002, metrics: 8003 } };
  const selector = { "app.kubernetes.io/instance": name };
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "switcher.json": JSON.stringify(file, null, 2) } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      // Without an address of its own: whoever calls the pods balances over them.
      spec: {
        clusterIP: "None",
        selector,
        ports: [
          { name: "http", port: 8000, targetPort: "http" },
          { name: "grpc", port: 8001, targetPort: "grpc", appProtocol: "kubernetes.io/h2c" },
        ],
      },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        selector: { matchLabels: selector },
        strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: "25%" } },
        template: { metadata: { labels }, spec: podOf(name, stage, options) },
      },
    },
  ];
}

/** The service account that switchers of a stage run as, where they show what they run as. */
export function switcherAccount({ serviceAccounts }: Stage): string {
  return serviceAccounts[0] ?? ACCOUNT;
}

function podOf(name: string, stage: Stage, options: SwitchersOptions): object {
  const { tlsSecret, showToken } = options;
  const audience = options.audience ?? SWITCHER_AUDIENCE;
  const token = { path: "token", audience, expirationSeconds: TOKEN_SECONDS };
  const resources = { cpu: String(stage.cores), memory: `${Math.ceil(stage.memoryMiB)}Mi` };
  const field = (variable: string, fieldPath: string) => ({ name: variable, valueFrom: { fieldRef: { fieldPath } } });
  const probe = (path: string) => ({ httpGet: { path, port: "http" } });
  return {
    // As whom the scaler takes them.
    ...(showToken ? { serviceAccountName: switcherAccount(stage) } : {}),
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 60,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "switcher",
        image: options.image,
        args: [
          "switcher",
          `--config=${CONFIG_FOLDER}/switcher.json`,
          "--pod=$(POD_NAME)",
          "--advertise-address=$(POD_IP):8000",
          ...(tlsSecret === null ? [] : [`--tls-folder=${TLS_FOLDER}`]),
          ...(showToken ? [`--scaler-token-file=${TOKEN_FOLDER}/token`] : []),
        ],
        env: [
          field("POD_NAME", "metadata.name"),
          field("POD_IP", "status.podIP"),
          ...Object.entries(switcherEnvironment({})).map(([name, value]) => ({ name, value })),
        ],
        ports: [
          { name: "http", containerPort: 8000 },
          { name: "grpc", containerPort: 8001 },
          { name: "metrics", containerPort: 8003 },
        ],
        startupProbe: { ...probe("/v2/health/ready"), periodSeconds: 1, failureThreshold: 300 },
        readinessProbe: { ...probe("/v2/health/ready"), periodSeconds: 2, failureThreshold: 2 },
        livenessProbe: { ...probe("/v2/health/live"), periodSeconds: 10, timeoutSeconds: 5 },
        lifecycle: { preStop: { sleep: { seconds: PROPAGATION_SECONDS } } },
        resources: { requests: resources, limits: resources },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
        volumeMounts: [
          { name: "config", mountPath: CONFIG_FOLDER, readOnly: true },
          { name: "models", mountPath: MODEL_FOLDER, readOnly: true },
          { name: "state", mountPath: STATE_FOLDER },
          ...(tlsSecret === null ? [] : [{ name: "tls", mountPath: TLS_FOLDER, readOnly: true }]),
          ...(showToken ? [{ name: "token", mountPath: TOKEN_FOLDER, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      { name: "config", configMap: { name } },
      { name: "models", persistentVolumeClaim: { claimName: options.modelsClaim, readOnly: true } },
      { name: "state", emptyDir: { sizeLimit: "16Mi" } },
      ...(tlsSecret === null ? [] : [{ name: "tls", secret: { secretName: tlsSecret } }]),
      ...(showToken ? [{ name: "token", projected: { sources: [{ serviceAccountToken: token }] } }] : []),
    ],
  };
}
