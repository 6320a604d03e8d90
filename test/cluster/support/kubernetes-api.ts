import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import type { Pki } from "./pki.ts";

// biome-ignore lint/suspicious/noExplicitAny: JSON of the API
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

/** Paths of the kinds that tests use. */
const PATHS: Readonly<Record<string, readonly [group: string, plural: string]>> = {
  Namespace: ["/api/v1", "namespaces"],
  Node: ["/api/v1", "nodes"],
  Service: ["/api/v1", "services"],
  Secret: ["/api/v1", "secrets"],
  Pod: ["/api/v1", "pods"],
  Event: ["/apis/events.k8s.io/v1", "events"],
  EndpointSlice: ["/apis/discovery.k8s.io/v1", "endpointslices"],
  Deployment: ["/apis/apps/v1", "deployments"],
  PodDisruptionBudget: ["/apis/policy/v1", "poddisruptionbudgets"],
  ConfigMap: ["/api/v1", "configmaps"],
  ServiceAccount: ["/api/v1", "serviceaccounts"],
  Role: ["/apis/rbac.authorization.k8s.io/v1", "roles"],
  RoleBinding: ["/apis/rbac.authorization.k8s.io/v1", "rolebindings"],
  ClusterRole: ["/apis/rbac.authorization.k8s.io/v1", "clusterroles"],
  ClusterRoleBinding: ["/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings"],
  HorizontalPodAutoscaler: ["/apis/autoscaling/v2", "horizontalpodautoscalers"],
  ScaledObject: ["/apis/keda.sh/v1alpha1", "scaledobjects"],
  TriggerAuthentication: ["/apis/keda.sh/v1alpha1", "triggerauthentications"],
  CustomResourceDefinition: ["/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"],
  InferencePipeline: ["/apis/variscale.dev/v1alpha1", "inferencepipelines"],
  APIService: ["/apis/apiregistration.k8s.io/v1", "apiservices"],
};

/** The API server, asked as its administrator. */
export class KubernetesApi {
  readonly #url: string;
  readonly #agent: Agent;

  constructor(url: string, pki: Pki) {
    this.#url = url;
    const read = (name: string) => readFileSync(pki.file(name));
    this.#agent = new Agent({ keepAlive: true, ca: read("ca.crt"), cert: read("admin.crt"), key: read("admin.key") });
  }

  /** Rejects where there is no answer. */
  call(method: string, path: string, body?: Json, contentType = "application/json", accept = "*/*"): Promise<Answer> {
    const sentBody = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const length = { "content-length": Buffer.byteLength(sentBody) };
    const headers = { accept, ...(body === undefined ? {} : { "content-type": contentType, ...length }) };
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.#agent, headers, timeout: 60_000 };
      const sent = request(new URL(path, this.#url), options, response => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const isJson = response.headers["content-type"]?.startsWith("application/json");
          resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
        });
      });
      sent.on("timeout", () => sent.destroy(new Error(`no answer to ${method} ${path} within 60 s`)));
      sent.on("error", reject);
      sent.end(sentBody);
    });
  }

  /** Null: there is none. */
  async get(kind: string, namespace: string, name: string): Promise<Json | null> {
    const answer = await this.call("GET", pathOf(kind, namespace, name));
    return answer.status === 404 ? null : checked(answer, `get ${kind} ${namespace}/${name}`);
  }

  async list(kind: string, namespace: string, query = ""): Promise<readonly Json[]> {
    const answer = await this.call("GET", `${pathOf(kind, namespace)}${query}`);
    return checked(answer, `list ${kind} of ${namespace}`).items;
  }

  /** What `kubectl get` shows: a row an object, its cells by column. */
  async table(kind: string, namespace: string): Promise<readonly Json[]> {
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    const answer = await this.call("GET", pathOf(kind, namespace), undefined, "", accept);
    const { columnDefinitions, rows } = checked(answer, `table of ${kind} of ${namespace}`);
    return rows.map(({ cells }: Json) =>
      Object.fromEntries(columnDefinitions.map(({ name }: Json, i: number) => [name, cells[i]])),
    );
  }

  /** Server-side apply of objects in their order. */
  async apply(...objects: readonly Json[]): Promise<void> {
    for (const object of objects) {
      const path = pathOf(object.kind, object.metadata.namespace, object.metadata.name);
      await this.applyAt(path, JSON.stringify(object));
    }
  }

  /** Whether it would be taken, and every field of it is known; nothing changes. */
  async dryRun(object: Json): Promise<void> {
    const path = pathOf(object.kind, object.metadata.namespace, object.metadata.name);
    const query = "?fieldManager=cluster-test&force=true&dryRun=All&fieldValidation=Strict";
    const text = JSON.stringify(object);
    checked(await this.call("PATCH", `${path}${query}`, text, "application/apply-patch+yaml"), `dry run of ${path}`);
  }

  /** Server-side apply of one object, as YAML or JSON. */
  async applyAt(path: string, text: string): Promise<void> {
    const query = "?fieldManager=cluster-test&force=true";
    checked(await this.call("PATCH", `${path}${query}`, text, "application/apply-patch+yaml"), `apply ${path}`);
  }

  async merge(kind: string, namespace: string, name: string, patch: Json): Promise<void> {
    const path = pathOf(kind, namespace, name);
    checked(await this.call("PATCH", path, patch, "application/merge-patch+json"), `patch ${path}`);
  }

  async delete(kind: string, namespace: string, name: string): Promise<void> {
    const answer = await this.call("DELETE", pathOf(kind, namespace, name));
    if (answer.status !== 404) checked(answer, `delete ${kind} ${namespace}/${name}`);
  }

  async deleteAll(kind: string, namespace: string): Promise<void> {
    checked(await this.call("DELETE", pathOf(kind, namespace)), `delete every ${kind} of ${namespace}`);
  }
}

function pathOf(kind: string, namespace: string | undefined, name?: string): string {
  const [group, plural] = PATHS[kind] ?? assert.fail(`no path is known of ${kind}`);
  const scope = namespace ? `/namespaces/${namespace}` : "";
  return `${group}${scope}/${plural}${name === undefined ? "" : `/${name}`}`;
}

function checked({ status, body }: Answer, what: string): Json {
  assert.ok(status >= 200 && status < 300, `${what}: ${status} ${JSON.stringify(body).slice(0, 1000)}`);
  return body;
}
