import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { KubernetesConfig } from "../../runtime/kubernetes-config.ts";
import { SERVER_PAIR, TEST_CA } from "./kubernetes-certificates.ts";

export interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string; readonly namespace?: string };
  readonly [key: string]: unknown;
}

interface Change {
  readonly version: number;
  readonly collection: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubernetesObject;
  /** Null: there was none. */
  readonly before: KubernetesObject | null;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** `impersonate-…` headers, with all of their values. */
  readonly impersonation: Readonly<Record<string, readonly string[]>>;
  readonly body: unknown;
  /** Common name of the client's certificate. */
  readonly client: string | undefined;
}

/** A server that starts later knows nothing of the versions of one before. */
let started = 0;

/**
 * What the API server answers, as far as it is asked here: collections with resource versions, pages, watches with bookmarks and 410,
 * create, merge patch and delete, `Status` objects for what is refused. Over real HTTPS.
 */
export class KubernetesApi {
  readonly seen: SeenRequest[] = [];
  /** Gives the answer to a request in the place of the real one. */
  intercept: (request: SeenRequest, response: ServerResponse) => boolean = () => false;
  /** Requests wait for what it gives; null: this one does not. */
  hold: (request: SeenRequest) => Promise<void> | null = () => null;
  /** Collections (`/apis/keda.sh/v1alpha1/scaledobjects`) that are there; others are answered as the server answers an unknown kind. */
  readonly collections = new Set<string>();
  readonly #server: Server;
  readonly #objects = new Map<string, KubernetesObject>();
  #changes: Change[] = [];
  #oldest: number;
  #version: number;
  readonly #watches = new Set<OpenWatch>();

  private constructor(server: Server) {
    this.#server = server;
    started += 1;
    this.#version = 10_000 * started;
    this.#oldest = this.#version;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => void this.#handle(request, response));
  }

  static async start(port = 0): Promise<KubernetesApi> {
    const server = createServer({
      cert: SERVER_PAIR.certificate,
      key: SERVER_PAIR.key,
      ca: TEST_CA,
      requestCert: true,
      rejectUnauthorized: false,
    });
    const api = new KubernetesApi(server);
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return api;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get openWatches(): number {
    return this.#watches.size;
  }

  /** How it is reached, as whoever has the token `test`. */
  config(): KubernetesConfig {
    return {
      server: `https://127.0.0.1:${this.port}`,
      namespace: "default",
      origin: "the test",
      serverName: null,
      verify: true,
      proxyUrl: null,
      impersonation: {},
      access: async () => ({ ca: TEST_CA, certificate: null, key: null, token: "test" }),
    };
  }

  /** @param collection `/apis/keda.sh/v1alpha1/scaledobjects` */
  put(collection: string, object: KubernetesObject): void {
    this.collections.add(collection);
    const key = `${collection} ${String(object.metadata.namespace)}/${object.metadata.name}`;
    const before = this.#objects.get(key) ?? null;
    const type = before ? "MODIFIED" : "ADDED";
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    this.#objects.set(key, stored);
    this.#change({ version: this.#version, collection, type, object: stored, before });
  }

  remove(collection: string, namespace: string, name: string): void {
    const key = `${collection} ${namespace}/${name}`;
    const object = this.#objects.get(key);
    if (!object) throw new Error(`no ${key}`);
    this.#objects.delete(key);
    this.#version += 1;
    this.#change({ version: this.#version, collection, type: "DELETED", object, before: object });
  }

  find(collection: string, namespace: string, name: string): KubernetesObject | undefined {
    return this.#objects.get(`${collection} ${namespace}/${name}`);
  }

  all(collection: string): KubernetesObject[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${collection} `)).map(([, object]) => object);
  }

  /** Forgets what changed up to now: watches from older versions are too old. */
  compact(): void {
    this.#oldest = this.#version;
    this.#changes = [];
  }

  /** Ends the open watches with an ERROR event, as when the watch cache is reset. */
  expireWatches(): void {
    for (const watch of this.#watches)
      watch.response.end(
        `${JSON.stringify({ type: "ERROR", object: status(410, "Expired", "too old resource version") })}\n`,
      );
    this.#watches.clear();
  }

  bookmark(): void {
    this.#version += 1;
    for (const { response } of this.#watches)
      response.write(
        `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(this.#version) } } })}\n`,
      );
  }

  /** Breaks every connection. */
  cut(): void {
    this.#watches.clear();
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cut();
    await closed;
  }

  #change(change: Change): void {
    this.#changes.push(change);
    for (const watch of this.#watches) watch.response.write(eventOf(change, watch));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "/", "https://x");
    const text = Buffer.concat(chunks).toString();
    const peer = (request.socket as import("node:tls").TLSSocket).getPeerCertificate();
    const cn = peer?.subject?.CN;
    const seen: SeenRequest = {
      method: request.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      authorization: request.headers.authorization,
      impersonation: Object.fromEntries(
        Object.entries(request.headersDistinct).flatMap(([name, values]) =>
          name.startsWith("impersonate-") && values ? [[name, values]] : [],
        ),
      ),
      body: text === "" ? null : JSON.parse(text),
      client: Array.isArray(cn) ? cn[0] : cn,
    };
    this.seen.push(seen);
    await this.hold(seen);
    if (this.intercept(seen, response)) return;
    if (seen.path === "/version") {
      answer(response, 200, { gitVersion: "v1.36.3", major: "1", minor: "36" });
      return;
    }
    const target = targetOf(seen.path);
    if (!target || !this.collections.has(target.collection)) {
      response.writeHead(404, { "content-type": "text/plain" });
      response.end("404 page not found\n");
      return;
    }
    if (seen.method === "POST") return this.#create(target, seen.body as KubernetesObject, response);
    if (seen.method === "DELETE") return this.#delete(target, seen.body, response);
    if (seen.method === "PATCH") return this.#patch(target, seen.body as KubernetesObject, response);
    if (target.name !== null) return this.#get(target, response);
    if (seen.query.get("watch") === "true") return this.#watch(target, seen.query, response);
    this.#list(target, seen.query, response);
  }

  #get({ collection, namespace, name }: Target, response: ServerResponse): void {
    const object = this.find(collection, String(namespace ?? undefined), name ?? "");
    if (object) answer(response, 200, object);
    else answer(response, 404, status(404, "NotFound", `${collection.split("/").at(-1)} "${name}" not found`));
  }

  #create(target: Target, body: KubernetesObject, response: ServerResponse): void {
    if (this.find(target.collection, String(target.namespace), body.metadata.name)) {
      answer(response, 409, status(409, "AlreadyExists", `"${body.metadata.name}" already exists`));
      return;
    }
    this.put(target.collection, body);
    answer(response, 201, this.find(target.collection, String(target.namespace), body.metadata.name));
  }

  #patch(target: Target, body: KubernetesObject, response: ServerResponse): void {
    const before = this.find(target.collection, String(target.namespace), target.name ?? "");
    const wanted = body.metadata?.["resourceVersion"];
    if (before && wanted !== undefined && wanted !== before.metadata["resourceVersion"]) {
      answer(response, 409, status(409, "Conflict", "the object has been modified"));
      return;
    }
    if (before) this.put(target.collection, merged(before, body) as KubernetesObject);
    this.#get(target, response);
  }

  #delete(target: Target, body: unknown, response: ServerResponse): void {
    const { collection, namespace, name } = target;
    const found = this.find(collection, String(namespace), name ?? "");
    if (!found || name === null) {
      this.#get(target, response);
      return;
    }
    const { preconditions } = (body ?? {}) as { preconditions?: { resourceVersion?: unknown } };
    const wanted = preconditions?.resourceVersion;
    if (wanted !== undefined && wanted !== found.metadata["resourceVersion"]) {
      answer(response, 409, status(409, "Conflict", "the object has been modified"));
      return;
    }
    this.remove(collection, String(namespace), name);
    answer(response, 200, { kind: "Status", apiVersion: "v1", status: "Success" });
  }

  #list({ collection, namespace }: Target, query: URLSearchParams, response: ServerResponse): void {
    const selector = selectorOf(query);
    const all = this.all(collection).filter(
      object => (namespace === null || object.metadata.namespace === namespace) && isSelected(object, selector),
    );
    const from = Number(query.get("continue") ?? 0);
    const limit = Number(query.get("limit") ?? all.length);
    const metadata = {
      resourceVersion: String(this.#version),
      ...(from + limit < all.length ? { continue: String(from + limit) } : {}),
    };
    answer(response, 200, { kind: "List", metadata, items: all.slice(from, from + limit) });
  }

  #watch({ collection, namespace }: Target, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get("resourceVersion"));
    if (from > this.#version) {
      answer(response, 504, status(504, "Timeout", `Too large resource version: ${from}`));
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (from < this.#oldest) {
      response.end(
        `${JSON.stringify({ type: "ERROR", object: status(410, "Expired", "too old resource version") })}\n`,
      );
      return;
    }
    const watch = { collection, namespace, selector: selectorOf(query), response };
    for (const change of this.#changes) if (change.version > from) response.write(eventOf(change, watch));
    this.#watches.add(watch);
    response.on("close", () => this.#watches.delete(watch));
  }
}

interface OpenWatch {
  readonly collection: string;
  readonly namespace: string | null;
  readonly selector: Selector;
  readonly response: ServerResponse;
}

interface Target {
  readonly collection: string;
  readonly namespace: string | null;
  readonly name: string | null;
}

function targetOf(path: string): Target | null {
  const found = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?$/.exec(path);
  if (!found) return null;
  const [, root, namespace, plural, name] = found;
  return {
    collection: `${root}/${plural}`,
    namespace: namespace ?? null,
    name: name === undefined ? null : decodeURIComponent(name),
  };
}

/** What a watch is told of a change: an object that is selected no more is gone for it. Empty: nothing. */
function eventOf({ collection, type, object, before }: Change, watch: OpenWatch): string {
  const isHere = watch.namespace === null || object.metadata.namespace === watch.namespace;
  if (collection !== watch.collection || !isHere) return "";
  const isNow = isSelected(object, watch.selector);
  const wasBefore = before !== null && isSelected(before, watch.selector);
  if (!isNow && !wasBefore) return "";
  const seen = isNow ? (type === "MODIFIED" && !wasBefore ? "ADDED" : type) : "DELETED";
  return `${JSON.stringify({ type: seen, object })}\n`;
}

interface Selector {
  /** `app=cards,tier in (cpu,gpu),!old` */
  readonly label: string | null;
  /** `metadata.name=value` */
  readonly field: string | null;
}

function selectorOf(query: URLSearchParams): Selector {
  return { label: query.get("labelSelector"), field: query.get("fieldSelector") };
}

function isSelected(object: KubernetesObject, { label, field }: Selector): boolean {
  if (field !== null && field !== `metadata.name=${object.metadata.name}`) return false;
  const labels = (object.metadata["labels"] ?? {}) as Readonly<Record<string, string>>;
  // Commas within parentheses separate values.
  return label === null || label.split(/,(?![^(]*\))/).every(one => meets(labels, one));
}

function meets(labels: Readonly<Record<string, string>>, requirement: string): boolean {
  const [, key = "", operator, list = ""] = /^(\S+) (in|notin) \((.*)\)$/.exec(requirement) ?? [];
  if (operator) return (operator === "in") === list.split(",").includes(labels[key] ?? "(none)");
  if (requirement.startsWith("!")) return labels[requirement.slice(1)] === undefined;
  const [name = "", value] = requirement.split("=");
  return value === undefined ? labels[name] !== undefined : labels[name] === value;
}

/** RFC 7396. */
function merged(before: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(before) ? { ...before } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

/** The `Status` object of an answer that is no success. */
export function status(code: number, reason: string, message: string): unknown {
  return { kind: "Status", apiVersion: "v1", status: "Failure", message, reason, code };
}

export function refuse(response: ServerResponse, code: number, reason: string, message: string): true {
  answer(response, code, status(code, reason, message));
  return true;
}
