import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { VariscaleError } from "../domain/errors.ts";
import { callOnceOver, createHttpServer, followAnswers, holdAnswer, MOST_HEADER_BYTES } from "./answering-server.ts";
import { ByteBudget, type HeldBytes } from "./byte-budget.ts";
import { httpStatusOf } from "./error-status.ts";
import { slowDownGuesses } from "./guess-limit.ts";
import { OpenBodies } from "./http/body-reader.ts";
import { BufferPool } from "./http/buffer-pool.ts";
import { BodyTooLarge, BodyTooSlow, NoRoom, readBody } from "./http/read-body.ts";
import { SharedAnswer } from "./http/shared-answer.ts";
import { type ListenOptions, listen } from "./listen.ts";
import type { TlsFolder } from "./tls-folder.ts";

/** A request whose body was not read yet. */
export interface HttpRequestHead {
  readonly method: string;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** IP address of the other side of the connection; empty once it is gone. */
  readonly remoteAddress: string;
  /** IP address that the other side connected to; empty once it is gone. */
  readonly localAddress: string;
}

export interface HttpRequest extends HttpRequestHead {
  readonly body: Buffer;
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
  /** Several who ask may get one answer, some minutes old where memory is short: text or bytes, which do not depend on who asks. It is for GET alone. */
  readonly isShared?: boolean;
  /** Asked before the body is read; an answer refuses the request. */
  readonly refuse?: (head: HttpRequestHead) => HttpResponse | null;
  /** Default: that of the server. */
  readonly maxBodyBytes?: number;
  /** The answer where the body was not read, as it has no room or comes too slowly. Default: the status and text of the error. */
  readonly answerUnread?: (head: HttpRequestHead, error: NoRoom | BodyTooSlow) => HttpResponse;
}

export interface HttpServerOptions extends ListenOptions {
  readonly routes: readonly Route[];
  /** Memory for bodies and large answers, shared with the other ports of the process. Default: 64 MiB of its own. */
  readonly budget?: ByteBudget;
  /** More connections at the same time are closed at once. Default 1024. */
  readonly maxConnections?: number;
  /** A larger body is refused with 413, unread. Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** From the first byte to the last one of a request. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** How often the pace of bodies is looked at; each look stands for a second. Default 1 s. */
  readonly paceMs?: number;
  /** Mutual TLS: who can't show a certificate of the folder's authorities gets no connection. Null: plaintext. */
  readonly tls?: Pick<TlsFolder, "material" | "watch"> | null;
}

export interface HttpServer {
  readonly port: number;
  /** Stops accepting, lets running requests end for at most `graceMs`, then cuts what is left. */
  close(graceMs?: number): Promise<void>;
}

const MIB = 1024 * 1024;
const DEFAULT_BUDGET_BYTES = 64 * MIB;
const NO_BODY = Buffer.alloc(0);
const METHODS_WITH_BODY = ["DELETE", "OPTIONS", "PATCH", "POST", "PUT", "QUERY"];
/** An answer that several clients share is made also where the first of them goes away. */
const NEVER_GONE = new AbortController().signal;

/** The types of a request's parts, for fastify. */
interface Shape {
  Params: Record<string, string>;
  Querystring: { readonly search: URLSearchParams };
}

/** fastify finds the route and sends the answer; the limits of connections and memory, and the end, are ours. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { routes, logger, maxBodyBytes = MIB, budget = new ByteBudget(DEFAULT_BUDGET_BYTES) } = options;
  const app = Fastify({
    serverFactory: listener => createHttpServer({ ...options, budget }, listener),
    routerOptions: {
      maxParamLength: MOST_HEADER_BYTES,
      querystringParser: text => ({ search: new URLSearchParams(text) }),
    },
    return503OnClosing: false,
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    frameworkErrors: (_error, request, reply) => void send(reply, notFound(request)),
  });
  slowDownGuesses(app);
  app.setNotFoundHandler((request, reply) => send(reply, notFound(request)));
  // fastify would refuse a Content-Type that is none before the route is asked, and would read bodies of paths that are not there.
  for (const method of METHODS_WITH_BODY) app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  app.setErrorHandler<Error>((error, request, reply) => {
    const answer = errorAnswer(error);
    // A request that is not complete: its client went away while it sent, which is nobody's fault here.
    if (answer.status === 500 && request.raw.complete)
      logger.error({ err: error, path: request.url }, "request failed");
    return send(reply, answer);
  });
  const memory = { budget, bodies: new OpenBodies(new BufferPool(maxBodyBytes), options.paceMs) };
  for (const route of routes) addRoute(app, route, memory, maxBodyBytes);
  refuseOtherMethods(app, routes);
  await app.ready();
  const end = followAnswers(app.server);
  await listen(app.server, options);
  return { port: (app.server.address() as AddressInfo).port, close: (graceMs = 5000) => end(graceMs) };
}

interface Memory {
  readonly budget: ByteBudget;
  readonly bodies: OpenBodies;
}

function addRoute(app: FastifyInstance, route: Route, { budget, bodies }: Memory, serverMaxBytes: number): void {
  const { method, path, handle, refuse, answerUnread, maxBodyBytes = serverMaxBytes } = route;
  const shared = route.isShared ? new SharedAnswer(budget) : null;
  app.route<Shape>({
    method,
    url: path,
    onRequest: async (request, reply) => {
      if (Object.values(request.params).includes("")) return send(reply, notFound(request));
      const refused = refuse?.(readHead(request)) ?? null;
      if (refused) return send(reply, refused);
    },
    handler: async (request, reply) => {
      const gone = new AbortController();
      const held = budget.hold();
      callOnceOver(reply.raw, () => {
        held.release();
        if (!reply.raw.writableFinished) gone.abort();
      });
      const head = readHead(request);
      if (shared) {
        const { answer, release } = await shared.join(() => handle({ ...head, body: NO_BODY, signal: NEVER_GONE }));
        callOnceOver(reply.raw, release);
        return send(reply, answer);
      }
      try {
        const body = method === "GET" ? NO_BODY : await readBody(request.raw, { held, maxBytes: maxBodyBytes, bodies });
        return send(reply, await handle({ ...head, body, signal: gone.signal }), held);
      } catch (error) {
        const isUnread = error instanceof NoRoom || error instanceof BodyTooSlow;
        if (answerUnread && isUnread) return send(reply, answerUnread(head, error));
        throw error;
      }
    },
  });
}

/** Each path answers 405 to the methods that it has no route for, whatever the body. */
function refuseOtherMethods(app: FastifyInstance, routes: readonly Route[]): void {
  for (const path of new Set(routes.map(route => route.path))) {
    const allow = routes.filter(route => route.path === path).map(({ method }) => method);
    const taken = new Set<string>([...allow, ...(allow.includes("GET") ? ["HEAD"] : [])]);
    const refuse = async (_request: FastifyRequest, reply: FastifyReply) =>
      send(reply, {
        status: 405,
        headers: { allow: allow.join(", ") },
        body: { error: `use ${allow.join(" or ")}` },
      });
    const method = app.supportedMethods.filter(one => !taken.has(one));
    app.route({ method, url: path, onRequest: refuse, handler: refuse });
  }
}

function readHead(request: FastifyRequest<Shape>): HttpRequestHead {
  return {
    method: request.method,
    path: readPath(request),
    params: request.params,
    query: request.query.search,
    headers: request.headers,
    remoteAddress: request.socket.remoteAddress ?? "",
    localAddress: request.socket.localAddress ?? "",
  };
}

/** Without the query, and without the host that a client may name before it. */
function readPath({ url }: FastifyRequest): string {
  return url.replace(/^https?:\/\/[^/?]*/i, "").replace(/\?.*$/s, "") || "/";
}

/** @param held memory of a large answer is taken from it; without it the answer is small, or has its memory already. */
function send(reply: FastifyReply, { status, headers, body }: HttpResponse, held?: HeldBytes): FastifyReply {
  const isRaw = typeof body === "string" || body instanceof Uint8Array;
  const bytes = isRaw || body === undefined ? body : JSON.stringify(body);
  const size = bytes === undefined ? 0 : Buffer.byteLength(bytes);
  if (held && !holdAnswer(held, size)) return send(reply, errorResponse(new NoRoom()));
  if (!isRaw && body !== undefined) reply.header("content-type", "application/json");
  // A connection that is kept would hold up the end of a server that is closing.
  if (!reply.server.server.listening) reply.header("connection", "close");
  return reply
    .code(status)
    .headers({ ...headers })
    .send(bytes);
}

function errorAnswer(thrown: unknown): HttpResponse {
  if (thrown instanceof BodyTooLarge || thrown instanceof BodyTooSlow)
    return { ...errorResponse(thrown), status: thrown.status, headers: { connection: "close" } };
  // fastify itself refuses some requests, and says so by a status.
  const status = thrown instanceof Error && "statusCode" in thrown ? Number(thrown.statusCode) : 500;
  const error = VariscaleError.from(thrown, status < 500 ? "invalid_argument" : "internal");
  return status < 500 ? { ...errorResponse(error), status } : errorResponse(error);
}

export function errorResponse(error: VariscaleError): HttpResponse {
  const status = httpStatusOf(error.code);
  const headers = error.code === "resource_exhausted" || error.code === "unavailable" ? { "retry-after": 1 } : {};
  return { status, headers, body: { error: error.message, code: error.code } };
}

function notFound(request: FastifyRequest): HttpResponse {
  return errorResponse(new VariscaleError("not_found", `there is nothing at ${readPath(request)}`));
}

/** No route has a schema, so what compiles schemas is not loaded. */
function noSchemas(): never {
  throw new Error("no route of this server has a schema");
}
