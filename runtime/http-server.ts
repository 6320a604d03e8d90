import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { closeWhenAnswered, sendBody } from "./close-when-answered.ts";
import { httpStatusOf } from "./error-status.ts";
import type { TlsFolder } from "./tls-folder.ts";
import { HANDSHAKE_WITHIN_MS } from "./tls-material.ts";

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** IP address of the other side of the connection; empty once it is gone. */
  readonly remoteAddress: string;
  /** IP address that the other side connected to; empty once it is gone. */
  readonly localAddress: string;
  /** Aborted when the client goes away before it has an answer. */
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Bytes and text as they are, anything else as JSON. */
  readonly body?: unknown;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** `/a/:name/b`; a parameter is one non-empty segment. */
  readonly path: string;
  readonly handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly routes: readonly Route[];
  readonly logger: Logger;
  /** A larger body is refused with 413, unread. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** From the first byte to the last one of a request. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** Mutual TLS: who can't show a certificate of the folder's authorities gets no connection. Null: plaintext. */
  readonly tls?: Pick<TlsFolder, "material" | "watch"> | null;
}

export interface HttpServer {
  readonly port: number;
  /** Stops accepting, lets running requests end for at most `graceMs`, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const routes = options.routes.map(route => ({ ...route, segments: route.path.split("/") }));
  const maxBodyBytes = options.maxBodyBytes ?? 1024 * 1024;
  const timeouts = { requestTimeout: options.requestTimeoutMs ?? 30_000, keepAliveTimeout: 65_000 };
  const server = options.tls ? createMutualServer(options.tls, timeouts) : createServer(timeouts);
  let inFlight = 0;
  server.on("request", (request, response) => {
    inFlight++;
    response.once("close", () => inFlight--);
    answer(request, response).catch((error: unknown) => {
      options.logger.error({ err: error, path: request.url }, "could not answer");
      response.destroy();
    });
  });
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const aborter = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) aborter.abort();
    });
    try {
      const result = await dispatch(request, aborter.signal);
      // Closing: a connection that is kept would hold up the end.
      if (!server.listening) response.setHeader("connection", "close");
      send(response, result);
    } catch (thrown) {
      const error = VariscaleError.from(thrown);
      // Not complete: the client went away while it sent, which is nobody's fault here.
      if (error.code === "internal" && request.complete)
        options.logger.error({ err: error, path: request.url }, "request failed");
      if (!response.headersSent) send(response, errorResponse(error));
      if (!request.complete) request.destroy();
    }
  }

  async function dispatch(request: IncomingMessage, signal: AbortSignal): Promise<HttpResponse> {
    const [path = "/", search = ""] = (request.url ?? "/").split("?", 2);
    const found = findRoute(routes, request.method ?? "GET", path);
    if (found.kind === "missing") throw new VariscaleError("not_found", `there is nothing at ${path}`);
    if (found.kind === "method")
      return {
        status: 405,
        headers: { allow: found.allow.join(", ") },
        body: { error: `use ${found.allow.join(" or ")}` },
      };
    const declared = Number(request.headers["content-length"] ?? 0);
    if (declared > maxBodyBytes) return tooLarge(maxBodyBytes);
    const body = await readBody(request, maxBodyBytes);
    if (body === null) return tooLarge(maxBodyBytes);
    const query = new URLSearchParams(search);
    return await found.handle({
      method: request.method ?? "GET",
      path,
      params: found.params,
      query,
      headers: request.headers,
      body,
      remoteAddress: request.socket.remoteAddress ?? "",
      localAddress: request.socket.localAddress ?? "",
      signal,
    });
  }

  await listen(server, options.host, options.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: (graceMs = 5000) => closeWhenAnswered(server, () => inFlight > 0, graceMs),
  };
}

function createMutualServer(tls: Pick<TlsFolder, "material" | "watch">, timeouts: object): Server {
  let inUse = tls.material;
  const server = createTlsServer({
    ...inUse.context,
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_WITHIN_MS,
    ...timeouts,
  });
  tls.watch(() => {
    if (tls.material === inUse) return;
    inUse = tls.material;
    server.setSecureContext(inUse.context);
  });
  return server;
}

export function errorResponse(error: VariscaleError): HttpResponse {
  const status = httpStatusOf(error.code);
  const headers = error.code === "resource_exhausted" || error.code === "unavailable" ? { "retry-after": 1 } : {};
  return { status, headers, body: { error: error.message, code: error.code } };
}

function tooLarge(maxBodyBytes: number): HttpResponse {
  return {
    status: 413,
    headers: { connection: "close" },
    body: { error: `the body must not have more than ${maxBodyBytes} bytes`, code: "invalid_argument" },
  };
}

type Found =
  | { readonly kind: "found"; readonly handle: Route["handle"]; readonly params: Record<string, string> }
  | { readonly kind: "method"; readonly allow: string[] }
  | { readonly kind: "missing" };

function findRoute(
  routes: readonly (Route & { readonly segments: readonly string[] })[],
  method: string,
  path: string,
): Found {
  const segments = path.split("/");
  const allow: string[] = [];
  for (const route of routes) {
    const params = match(route.segments, segments);
    if (params === null) continue;
    if (route.method === method || (route.method === "GET" && method === "HEAD"))
      return { kind: "found", handle: route.handle, params };
    allow.push(route.method);
  }
  return allow.length > 0 ? { kind: "method", allow } : { kind: "missing" };
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [i, part] of pattern.entries()) {
    const segment = segments[i] ?? "";
    if (!part.startsWith(":")) {
      if (part !== segment) return null;
      continue;
    }
    if (segment === "") return null;
    try {
      params[part.slice(1)] = decodeURIComponent(segment);
    } catch {
      return null;
    }
  }
  return params;
}

/** Null: the body is larger than allowed. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Not destroyed on an early return: the refusal still has to reach the client.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return null;
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, bytes);
}

function send(response: ServerResponse, result: HttpResponse): void {
  const { body } = result;
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const content = body === undefined ? "" : isRaw ? body : JSON.stringify(body);
  const bytes = Buffer.byteLength(content);
  const type = body === undefined || isRaw ? {} : { "content-type": "application/json" };
  response.writeHead(result.status, { ...type, "content-length": bytes, ...result.headers });
  sendBody(response, [content], bytes);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", error => {
      const message = `cannot listen on ${host}:${port}: ${error.message}. Free the port or choose another one.`;
      reject(new VariscaleError("failed_precondition", message, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}
