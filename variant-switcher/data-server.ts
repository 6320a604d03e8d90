import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { closeWhenAnswered, openSockets } from "../runtime/close-when-answered.ts";
import { httpStatusOf } from "../runtime/error-status.ts";
import { BodyReader } from "./body-reader.ts";
import { BufferPool } from "./buffer-pool.ts";
import type { DataHandler, DataResponse, DataRoutes } from "./data-routes.ts";
import { GarbageValve } from "./garbage-valve.ts";
import { bodyParts } from "./http-response.ts";
import type { InFlightBytes } from "./in-flight-bytes.ts";
import { type LastHead, PlainConnection, type PlainConnectionOptions } from "./plain-connection.ts";
import { RequestMemory } from "./request-memory.ts";
import { RequestTooLarge } from "./request-too-large.ts";

export interface DataServerOptions {
  readonly host: string;
  readonly port: number;
  readonly routes: DataRoutes;
  readonly logger: Logger;
  readonly maxBodyBytes: number;
  readonly inFlight: InFlightBytes;
}

/** The beginning of a body comes with its head: less than this, and the socket would be stopped and started again for it. */
const READ_AHEAD_BYTES = 256 * 1024;
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 65_000;
/** How often it is looked for connections on which nothing happens. */
const SWEEP_MS = 5000;

/**
 * The HTTP server of the inference path. It does less per request than the general one of runtime/: no parameters, no query,
 * a body that is copied once, no promise of its own, so that a request costs little beside a model of a millisecond. Connections begin
 * as plain ones (plain-connection.ts), and become Node's with their first request of another kind.
 */
export class DataServer {
  readonly #options: DataServerOptions;
  readonly #server: Server;
  readonly #buffers: BufferPool;
  readonly #valve = new GarbageValve();
  #inFlight = 0;
  #closing = false;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #plain = new Set<PlainConnection>();
  readonly #lastHead: LastHead = { head: null };
  #sweep: NodeJS.Timeout | undefined;

  private constructor(options: DataServerOptions) {
    this.#options = options;
    this.#buffers = new BufferPool(options.maxBodyBytes);
    this.#server = createServer({
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      noDelay: true,
      highWaterMark: READ_AHEAD_BYTES,
    });
    this.#server.on("request", (request, response) => {
      this.#inFlight++;
      try {
        this.#dispatch(request, response);
      } catch (error) {
        this.#fail(request, response, error);
      }
    });
    const [toNode] = this.#server.listeners("connection");
    this.#server.removeAllListeners("connection");
    const plain = this.#plainOptions(socket => toNode?.call(this.#server, socket));
    this.#server.on("connection", socket => this.#plain.add(new PlainConnection(socket, plain, this.#lastHead)));
    this.#sockets = openSockets(this.#server);
    this.#server.on("clientError", (_error, socket) => {
      if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    });
  }

  static async start(options: DataServerOptions): Promise<DataServer> {
    const { host, port } = options;
    const server = new DataServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", error => {
        const message = `cannot listen on ${host}:${port}: ${error.message}. Free the port or choose another one.`;
        reject(new VariscaleError("failed_precondition", message, { cause: error }));
      });
      server.#server.listen(port, host, resolve);
    });
    server.#sweep = setInterval(() => {
      for (const connection of server.#plain) connection.endIfIdle(performance.now());
    }, SWEEP_MS).unref();
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no new connections, answers what was asked for at most `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    await closeWhenAnswered(this.#server, this.#sockets, () => this.#inFlight > 0, graceMs);
    clearInterval(this.#sweep);
  }

  #plainOptions(toNode: (socket: Socket) => void): PlainConnectionOptions {
    const { maxBodyBytes, inFlight, routes } = this.#options;
    return {
      maxBodyBytes,
      inFlight,
      buffers: this.#buffers,
      valve: this.#valve,
      handlerOf: url => routes.post(pathOf(url)),
      onRefused: ({ url, headers }, refusal) => routes.refused(pathOf(url), headers, refusal),
      failureOf: (url, thrown) => this.#failureOf(url, thrown),
      isClosing: () => this.#closing,
      onBusy: change => {
        this.#inFlight += change;
      },
      onEnd: connection => this.#plain.delete(connection),
      handOver: (socket, begun) => {
        socket.pause();
        socket.unshift(begun);
        toNode(socket);
        socket.resume();
      },
      keepAliveMs: KEEP_ALIVE_MS,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    };
  }

  #dispatch(request: IncomingMessage, response: ServerResponse): void {
    const { routes } = this.#options;
    const path = pathOf(request.url ?? "/");
    const { method } = request;
    const post = method === "GET" ? null : routes.post(path);
    if (post && method === "POST") {
      this.#post(path, post, request, response);
      return;
    }
    const answer = post ? null : routes.get(path);
    if (answer && (method === "GET" || method === "HEAD")) this.#send(response, answer);
    else if (!answer && !post && !routes.post(path))
      this.#send(response, { status: 404, json: { error: `there is nothing at ${path}` } });
    else {
      const allow = answer ? "GET" : "POST";
      this.#send(response, { status: 405, headers: { allow }, json: { error: `use ${allow}` } });
    }
  }

  #post(path: string, handle: DataHandler, request: IncomingMessage, response: ServerResponse): void {
    const { maxBodyBytes, inFlight, routes } = this.#options;
    const length = request.headers["content-length"];
    const bytes = length === undefined ? maxBodyBytes : Number(length);
    const memory = new RequestMemory({ inFlight, buffers: this.#buffers, valve: this.#valve });
    const charge = (more: number): VariscaleError | null => {
      const refusal = memory.charge(more);
      if (refusal) routes.refused(path, request.headers, refusal);
      return refusal;
    };
    if (bytes > maxBodyBytes) {
      this.#send(response, tooLarge(maxBodyBytes));
      return;
    }
    const refusal = length === undefined ? null : charge(bytes);
    if (refusal) throw refusal;
    const into = length === undefined ? null : memory.bodyOf(bytes);
    let gone: (() => void) | null = null;
    response.once("close", () => {
      if (!response.writableFinished) gone?.();
    });
    const onGone = (callback: () => void): void => {
      gone = callback;
    };
    const fail = (error: unknown): void => {
      memory.release();
      this.#fail(request, response, error);
    };
    const done = (answer: DataResponse): void => {
      this.#send(response, answer);
      memory.release();
    };
    new BodyReader(request, into, bytes, charge, body => {
      if (body === null) done(tooLarge(maxBodyBytes));
      else if (body instanceof Error) fail(body);
      else handle({ headers: request.headers, body, charge, onGone }).then(done, fail);
    });
  }

  #fail(request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
    const failure = this.#failureOf(request.url ?? "/", thrown);
    if (!response.headersSent) this.#send(response, failure);
    else {
      response.destroy();
      this.#inFlight--;
    }
  }

  #failureOf(url: string, thrown: unknown): DataResponse {
    const error = VariscaleError.from(thrown);
    if (error.code === "internal") this.#options.logger.error({ err: error, path: url }, "request failed");
    return errorOf(error);
  }

  #send(response: ServerResponse, answer: DataResponse): void {
    const parts = bodyParts(answer);
    let bytes = 0;
    for (const part of parts) bytes += typeof part === "string" ? Buffer.byteLength(part) : part.length;
    if (answer.json !== undefined) response.setHeader("content-type", "application/json");
    if (this.#closing || answer.status === 413) response.setHeader("connection", "close");
    response.writeHead(answer.status, { "content-length": bytes, ...answer.headers });
    if (response.req.method === "HEAD") response.end();
    else if (parts.length <= 1) response.end(parts[0]);
    else {
      response.cork();
      for (const part of parts) response.write(part);
      response.end();
    }
    this.#inFlight--;
  }
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query < 0 ? url : url.slice(0, query);
}

function errorOf(error: VariscaleError): DataResponse {
  const retry = error.code === "resource_exhausted" || error.code === "unavailable";
  return {
    status: error instanceof RequestTooLarge ? 413 : httpStatusOf(error.code),
    ...(retry && { headers: { "retry-after": 1 } }),
    json: { error: error.message, code: error.code },
  };
}

function tooLarge(maxBodyBytes: number): DataResponse {
  const error = `the body must not have more than ${maxBodyBytes} bytes`;
  return { status: 413, json: { error, code: "invalid_argument" } };
}
