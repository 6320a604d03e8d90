import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { followFile } from "./follow-file.ts";
import { readKubeconfig } from "./kubeconfig.ts";
import type { KubernetesConfig } from "./kubernetes-config.ts";

/** Where Kubernetes mounts the service account of a pod. */
const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface KubernetesPlace {
  readonly env: NodeJS.ProcessEnv;
  /** A context of the kubeconfig; null: the current one. */
  readonly context: string | null;
  /** Default: where Kubernetes mounts it. */
  readonly serviceAccountFolder?: string;
}

/**
 * The kubeconfig where a context is named, else the pod's service account, else the kubeconfig.
 *
 * Throws failed_precondition or invalid_argument where what is there can't be used, and not_found where there is neither.
 */
export function findKubernetes(place: KubernetesPlace): KubernetesConfig {
  if (place.context === null) {
    const inCluster = inClusterKubernetes(place);
    if (inCluster) return inCluster;
  }
  return readKubeconfig(place.env, place.context);
}

/** Whether this process runs in a pod: the kubelet says where the API server is, or mounts a service account. */
export function isInPod(env: NodeJS.ProcessEnv, serviceAccountFolder = SERVICE_ACCOUNT_FOLDER): boolean {
  return Boolean(env["KUBERNETES_SERVICE_HOST"]) || existsSync(serviceAccountFolder);
}

/** The API server as a pod sees it; null: this is no pod. Token and CA are read again when their files change. */
export function inClusterKubernetes(place: Omit<KubernetesPlace, "context">): KubernetesConfig | null {
  const host = place.env["KUBERNETES_SERVICE_HOST"];
  const port = place.env["KUBERNETES_SERVICE_PORT"];
  if (!host || !port) return null;
  const folder = place.serviceAccountFolder ?? SERVICE_ACCOUNT_FOLDER;
  const token = followFile(join(folder, "token"));
  const ca = followFile(join(folder, "ca.crt"));
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    namespace: readNamespace(folder),
    origin: "this pod's service account",
    serverName: null,
    verify: true,
    // A pod reaches its own API server directly: a proxy in its environment is for what lies outside of the cluster.
    proxyUrl: null,
    impersonation: {},
    access: async () => ({ ca: ca(), certificate: null, key: null, token: token().trim() }),
  };
}

function readNamespace(folder: string): string {
  try {
    return readFileSync(join(folder, "namespace"), "utf8").trim() || "default";
  } catch {
    return "default";
  }
}
