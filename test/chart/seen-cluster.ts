import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { packageFolder } from "../../runtime/version.ts";
import { KubernetesApi, type SeenRequest } from "../support/kubernetes-api.ts";
import { TEST_CA } from "../support/kubernetes-certificates.ts";
import type { KubernetesObject } from "./helm.ts";

const SECRETS = "/api/v1/secrets";
/** Helm asks the API server for the kinds of every group before it looks whether objects are there. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  v1: ["ConfigMap", "PersistentVolumeClaim", "Pod", "Secret", "Service", "ServiceAccount"],
  "apps/v1": ["Deployment"],
  "cert-manager.io/v1": ["Certificate", "Issuer"],
  "monitoring.coreos.com/v1": ["PodMonitor", "PrometheusRule", "ServiceMonitor"],
  "networking.k8s.io/v1": ["NetworkPolicy"],
  "keda.sh/v1alpha1": ["ScaledObject", "TriggerAuthentication"],
  "policy/v1": ["PodDisruptionBudget"],
  "rbac.authorization.k8s.io/v1": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
};

/** An API server that Helm sees while it renders: it keeps Secrets, and of all else says that it is not there. */
export class SeenCluster {
  readonly #api: KubernetesApi;
  readonly #folder: string;

  private constructor(api: KubernetesApi, folder: string) {
    this.#api = api;
    this.#folder = folder;
  }

  static async open(): Promise<SeenCluster> {
    const api = await KubernetesApi.start();
    for (const [version, kinds] of Object.entries(KINDS))
      for (const kind of kinds) api.collections.add(`${findPath(version)}/${findPlural(kind)}`);
    api.intercept = (seen, response) => describeKinds(seen, response);
    const folder = mkdtempSync(join(tmpdir(), "variscale-seen-cluster-"));
    const ca = Buffer.from(TEST_CA).toString("base64");
    const config = {
      clusters: [{ name: "c", cluster: { server: `https://127.0.0.1:${api.port}`, "certificate-authority-data": ca } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
      users: [{ name: "u", user: { token: "test" } }],
      "current-context": "c",
    };
    writeFileSync(join(folder, "kubeconfig"), JSON.stringify(config));
    return new SeenCluster(api, folder);
  }

  /** Renders a chart, this package's unless another is named, and keeps the Secrets as if they had been installed. */
  async install(
    values: readonly string[],
    chart = join(packageFolder, "charts/variscale"),
  ): Promise<readonly KubernetesObject[]> {
    const options = ["--namespace=shop", "--dry-run=server", "--disable-openapi-validation", ...values];
    const output = await this.#run(["template", "variscale", chart, ...options]);
    const objects: readonly KubernetesObject[] = parseAllDocuments(output).flatMap(document => document.toJS() ?? []);
    for (const object of objects) if (object.kind === "Secret") this.#api.put(SECRETS, ownedByRelease(object));
    return objects;
  }

  /** Tells which objects of a kind Helm has asked for since this was called last, by the ends of paths: `secrets/variscale-tls`, or `serviceaccounts` for a list. */
  takeSeen(plural: string): readonly string[] {
    const paths = this.#api.seen.splice(0).map(({ path }) => path);
    return paths.flatMap(path => new RegExp(`/namespaces/shop/(${plural}(/.+)?)$`).exec(path)?.[1] ?? []);
  }

  async close(): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true });
    await this.#api.close();
  }

  async #run(args: readonly string[]): Promise<string> {
    const env = { ...process.env, KUBECONFIG: join(this.#folder, "kubeconfig"), HELM_CACHE_HOME: this.#folder };
    const helm = spawn(process.env["VARISCALE_HELM"] ?? "helm", args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let problem = "";
    helm.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    helm.stderr.on("data", (chunk: Buffer) => {
      problem += chunk.toString();
    });
    const status = await new Promise(resolve => helm.once("close", resolve));
    assert.equal(status, 0, problem);
    return output;
  }
}

/** Marks an object as Helm does when it writes it: an upgrade takes no others for its own. */
function ownedByRelease(object: KubernetesObject): KubernetesObject {
  const annotations = { "meta.helm.sh/release-name": "variscale", "meta.helm.sh/release-namespace": "shop" };
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } } };
}

function findPath(version: string): string {
  return version === "v1" ? "/api/v1" : `/apis/${version}`;
}

function findPlural(kind: string): string {
  return `${kind.toLowerCase()}s`;
}

/** Answers what the API server says of its groups and kinds. */
function describeKinds({ path }: SeenRequest, response: ServerResponse): boolean {
  const answer = (body: object): true => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
    return true;
  };
  const versions = Object.keys(KINDS).filter(version => version !== "v1");
  if (path === "/api") return answer({ kind: "APIVersions", versions: ["v1"] });
  if (path === "/apis") {
    const groups = versions.map(groupVersion => {
      const [name, version] = groupVersion.split("/");
      return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } };
    });
    return answer({ kind: "APIGroupList", apiVersion: "v1", groups });
  }
  const found = Object.entries(KINDS).find(([version]) => path === findPath(version));
  if (!found) return false;
  const [groupVersion, kinds] = found;
  const resources = kinds.map(kind => ({
    ...{ name: findPlural(kind), singularName: kind.toLowerCase(), kind, verbs: ["get", "list", "create"] },
    namespaced: !kind.startsWith("ClusterRole"),
  }));
  return answer({ kind: "APIResourceList", apiVersion: "v1", groupVersion, resources });
}
