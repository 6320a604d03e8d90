import { VariscaleError } from "../domain/errors.ts";
import { type BoundedCall, type HttpAnswer, HttpClient, type OpenAnswer, readWhole } from "./http-client.ts";
import { HttpFailure } from "./http-failure.ts";
import type { KubernetesConfig } from "./kubernetes-config.ts";
import { errorOfConnection } from "./kubernetes-error.ts";
import { packageVersion } from "./version.ts";

export interface KubernetesRequest {
  /** For messages. */
  readonly what: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
}

/** An idle connection may be closed by the other side just when it is used again. */
const IDLE_MS = 30_000;
const MOST_BYTES = 32 * 1024 * 1024;

/** Sends requests to one API server over kept connections. */
export class KubernetesConnections {
  readonly config: KubernetesConfig;
  readonly #client: HttpClient;

  constructor(config: KubernetesConfig) {
    this.config = config;
    this.#client = new HttpClient({ idleMs: IDLE_MS, proxyUrl: config.proxyUrl });
  }

  /** A whole answer. Throws what errorOfConnection() makes of a failure, and deadline_exceeded where there is none in time. */
  async ask(request: KubernetesRequest, withinMs: number): Promise<HttpAnswer> {
    const { what } = request;
    const call = await this.#prepare(request);
    try {
      return await this.#client.request({ ...call, timeoutMs: withinMs, maxBytes: MOST_BYTES });
    } catch (thrown) {
      throw this.#explain(what, thrown, withinMs);
    }
  }

  /** An answer whose body is still to come. Throws what errorOfConnection() makes of a failure. */
  async open(request: KubernetesRequest, signal: AbortSignal): Promise<OpenAnswer> {
    const call = await this.#prepare(request);
    try {
      return await this.#client.open({ ...call, signal });
    } catch (thrown) {
      throw this.#explain(request.what, thrown, null);
    }
  }

  /** The body of an answer that was opened. */
  async readBody({ body }: OpenAnswer, what: string): Promise<string> {
    try {
      return (await readWhole(body, this.config.server, MOST_BYTES)).toString("utf8");
    } catch (thrown) {
      throw this.#explain(what, thrown, null);
    }
  }

  close(): void {
    this.#client.close();
  }

  async #prepare({
    method,
    path,
    contentType,
    body,
  }: KubernetesRequest): Promise<Omit<BoundedCall, "timeoutMs" | "maxBytes">> {
    const { server, serverName, verify, access, impersonation } = this.config;
    const { ca, certificate, key, token } = await access();
    return {
      method,
      url: new URL(server + path),
      headers: {
        accept: "application/json",
        "user-agent": `variscale/${packageVersion}`,
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": contentType ?? "application/json" }),
        ...impersonation,
      },
      ...(body !== undefined && { body }),
      tls: server.startsWith("https:") ? { ca, certificate, key, serverName, verify } : null,
    };
  }

  #explain(what: string, thrown: unknown, withinMs: number | null): VariscaleError {
    const { server } = this.config;
    const kind = thrown instanceof HttpFailure ? thrown.kind : null;
    if (thrown instanceof HttpFailure && (kind === "tooLarge" || kind === "cutShort"))
      return new VariscaleError(thrown.code, `Kubernetes: ${what}: ${thrown.detail}`, { cause: thrown });
    if (kind === "timedOut" && withinMs !== null)
      return new VariscaleError(
        "deadline_exceeded",
        `Kubernetes: ${what}: no answer from ${server} within ${withinMs / 1000} s: check that it can be reached from here.`,
        { cause: thrown },
      );
    return errorOfConnection(what, server, thrown);
  }
}
