import { VariscaleError } from "../domain/errors.ts";
import type { KubernetesConfig } from "./kubernetes-config.ts";
import { describeCall, errorOfStatus, type KubernetesCall } from "./kubernetes-error.ts";
import { KubernetesConnections, type KubernetesRequest } from "./kubernetes-request.ts";
import { type KubernetesResource, resourcePath } from "./kubernetes-resource.ts";

const ANSWER_WITHIN_MS = 10_000;
/** Objects that a page of a list has at most. */
const PAGE_ITEMS = 250;
const MOST_PAGES = 400;
/** A line of a watch: an object has at most 1.5 MiB in etcd. */
const MOST_LINE_BYTES = 8 * 1024 * 1024;
const NEW_LINE = 10;

/** Which objects of a kind; nothing: all. */
export interface ObjectSelector {
  readonly label?: string;
  /** `metadata.name=cards` */
  readonly field?: string;
}

export interface WatchRequest {
  readonly resource: KubernetesResource;
  /** Null: the whole cluster. */
  readonly namespace: string | null;
  readonly selector: ObjectSelector;
  /** From where on. */
  readonly resourceVersion: string;
  /** The server ends it after this long. */
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  /** The server has taken it. */
  readonly onOpen: () => void;
  /** One event, as it came. */
  readonly onEvent: (event: unknown) => void;
}

export interface CallLimits {
  /** Default: 10 s. */
  readonly withinMs?: number;
}

/**
 * The few calls to an API server that are needed. Whatever is bad about an answer is thrown as a VariscaleError.
 *
 * `@kubernetes/client-node` is not used: its version 2 needs undici 8 and so Node 22, version 1 brings node-fetch and fifteen direct
 * dependencies, and each knows every API there is, which takes the scaler more memory than all that it calls.
 */
export class KubernetesClient {
  readonly config: KubernetesConfig;
  readonly #connections: KubernetesConnections;

  constructor(config: KubernetesConfig) {
    this.config = config;
    this.#connections = new KubernetesConnections(config);
  }

  /** One object. Throws not_found where it is not there. */
  get(resource: KubernetesResource, namespace: string | null, name: string, limits: CallLimits = {}): Promise<unknown> {
    const call: KubernetesCall = { verb: "get", resource, namespace, name };
    return this.#call(call, "GET", resourcePath(resource, namespace, name), undefined, limits);
  }

  /** What is no resource: `/version`. */
  getPath(path: string): Promise<unknown> {
    return this.#send({ what: `get ${path}`, method: "GET", path }, null);
  }

  /** Throws aborted where one of the name is there already. @param namespace null: of the whole cluster. */
  create(
    resource: KubernetesResource,
    namespace: string | null,
    body: unknown,
    limits: CallLimits = {},
  ): Promise<unknown> {
    const path = resourcePath(resource, namespace, null);
    return this.#call({ verb: "create", resource, namespace, name: null }, "POST", path, body, limits);
  }

  /** A JSON merge patch. Throws aborted where `metadata.resourceVersion` is given and the object has another. */
  patch(
    resource: KubernetesResource,
    namespace: string,
    name: string,
    body: unknown,
    limits: CallLimits = {},
  ): Promise<unknown> {
    const path = resourcePath(resource, namespace, name);
    return this.#call({ verb: "patch", resource, namespace, name }, "PATCH", path, body, limits);
  }

  /** Throws aborted where the object has another version than `resourceVersion`. */
  delete(resource: KubernetesResource, namespace: string, name: string, resourceVersion: string): Promise<unknown> {
    const path = resourcePath(resource, namespace, name);
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { resourceVersion } };
    return this.#call({ verb: "delete", resource, namespace, name }, "DELETE", path, body);
  }

  /** Server-side apply of an object's `status`, as the scaler: the fields that it wrote before and that are not there any more go. */
  applyStatus(resource: KubernetesResource, namespace: string, name: string, object: unknown): Promise<unknown> {
    const part = { ...resource, plural: `${resource.plural}/status` };
    const path = `${resourcePath(resource, namespace, name)}/status?fieldManager=variscale-scaler&force=true`;
    return this.#send(
      {
        what: describeCall({ verb: "patch", resource: part, namespace, name }),
        method: "PATCH",
        path,
        body: JSON.stringify(object),
        contentType: "application/apply-patch+yaml",
      },
      { verb: "patch", resource: part, namespace, name },
    );
  }

  /** All objects, or those of a selector, page by page. Gives the version that a watch goes on from. */
  async list(
    resource: KubernetesResource,
    namespace: string | null,
    onItem: (item: unknown) => void,
    selector: ObjectSelector = {},
  ): Promise<string> {
    const call: KubernetesCall = { verb: "list", resource, namespace, name: null };
    const selected = selectedBy(selector);
    let query = `?limit=${PAGE_ITEMS}${selected}`;
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await this.#call(call, "GET", resourcePath(resource, namespace, null) + query);
      const { items, metadata } = answer as { items?: unknown; metadata?: Record<string, unknown> };
      if (!Array.isArray(items))
        throw new VariscaleError("unavailable", `${describeCall(call)}: the answer is no list`);
      for (const item of items) onItem(item);
      const next = metadata?.["continue"];
      if (typeof next !== "string" || next === "") return String(metadata?.["resourceVersion"] ?? "");
      query = `?limit=${PAGE_ITEMS}${selected}&continue=${encodeURIComponent(next)}`;
    }
    throw new VariscaleError(
      "resource_exhausted",
      `${describeCall(call)}: there are more than ${MOST_PAGES * PAGE_ITEMS} objects`,
    );
  }

  /** Resolves when the server ends the watch. Throws aborted when `resourceVersion` is too old: list again. */
  async watch(request: WatchRequest): Promise<void> {
    const { resource, namespace, selector, resourceVersion, timeoutSeconds, signal } = request;
    const call: KubernetesCall = { verb: "watch", resource, namespace, name: null };
    const query = `?watch=true&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(resourceVersion)}&timeoutSeconds=${timeoutSeconds}`;
    const path = resourcePath(resource, namespace, null) + query + selectedBy(selector);
    const what = describeCall(call);
    const answer = await this.#connections.open({ what, method: "GET", path }, signal);
    if (answer.status !== 200)
      throw errorOfStatus(what, answer.status, await this.#connections.readBody(answer, what), call);
    request.onOpen();
    try {
      for await (const line of readLines(answer.body as AsyncIterable<Buffer>, what))
        request.onEvent(parseJson(line, what));
    } finally {
      answer.body.destroy();
    }
  }

  close(): void {
    this.#connections.close();
  }

  #call(
    call: KubernetesCall,
    method: KubernetesRequest["method"],
    path: string,
    body?: unknown,
    { withinMs = ANSWER_WITHIN_MS }: CallLimits = {},
  ): Promise<unknown> {
    const request: KubernetesRequest = {
      what: describeCall(call),
      method,
      path,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(method === "PATCH" ? { contentType: "application/merge-patch+json" } : {}),
    };
    return this.#send(request, call, withinMs);
  }

  async #send(request: KubernetesRequest, call: KubernetesCall | null, withinMs = ANSWER_WITHIN_MS): Promise<unknown> {
    const { what } = request;
    const answer = await this.#connections.ask(request, withinMs);
    const body = answer.body.toString("utf8");
    if (answer.status < 200 || answer.status >= 300) throw errorOfStatus(what, answer.status, body, call);
    return parseJson(body, what);
  }
}

/** The lines of a watch, but for empty ones. A line that comes in many pieces is joined once, when it is whole. */
export async function* readLines(chunks: AsyncIterable<Buffer>, what: string): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    while (from < chunk.length) {
      const end = chunk.indexOf(NEW_LINE, from);
      const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
      from += piece.length + 1;
      pieces.push(piece);
      bytes += piece.length;
      if (bytes > MOST_LINE_BYTES)
        throw new VariscaleError("resource_exhausted", `${what}: an event has more than ${MOST_LINE_BYTES} bytes`);
      if (end < 0) continue;
      if (bytes > 0) yield Buffer.concat(pieces, bytes).toString("utf8");
      pieces = [];
      bytes = 0;
    }
  }
}

function selectedBy({ label, field }: ObjectSelector): string {
  const part = (name: string, value: string | undefined) =>
    value === undefined ? "" : `&${name}=${encodeURIComponent(value)}`;
  return part("labelSelector", label) + part("fieldSelector", field);
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new VariscaleError("unavailable", `Kubernetes: ${what}: the answer is not JSON`);
  }
}
