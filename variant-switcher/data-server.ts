import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { closeWhenAnswered, openSockets } from "../runtime/close-when-answered.ts";
import { httpStatusOf } from "../runtime/error-status.ts";
import { BodyReader } from "./body-reader.ts";
import { BufferPool } from "./buffer-pool.ts";
import { GarbageValve } from "./garbage-valve.ts";
import type { InFlightBytes } from "./in-flight-bytes.ts";
import { RequestTooLarge } from "./request-too-large.ts";

/** What a handler of the data server answers. */
export interface DataResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** What is sent as it is, one part after the other. */
  readonly parts?: readonly (Uint8Array | string)[];
  /** Anything else, sent as JSON. */
  readonly json?: unknown;
}

export interface DataRequest {
  readonly headers: IncomingMessage["headers"];
  /** Only until the answer is there: the memory is used again. */
  readonly body: Buffer;
  /** Finds room for so many bytes more that the request comes to need, less than 0: it needs them no longer; an error: there is none. */
  charge(bytes: number): VariscaleError | null;
  /** Calls back once if the client goes away before it has an answer. */
  onGone(callback: () => void): void;
}

type Handler = (request: DataRequest) => Promise<DataResponse>;

export interface DataRoutes {
  /** The path without the query. Null: there is nothing. */
  get(path: string): DataResponse | null;
  /** The handler of requests to this path. Null: there is none. */
  post(path: string): Handler | null;
  /** Is told of requests to this path that there was no room for. */
  refused(path: string, headers: DataRequest["headers"], refusal: VariscaleError): void;
}

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

/**
 * The HTTP server of the inference path. It does less per request than the general one of runtime/: no parameters, no query,
 * a body that is copied once, no promise of its own, so that a request costs little beside a model of a millisecond.
 */
export class DataServer {
  readonly #options: DataServerOptions;
  readonly #server: Server;
  readonly #buffers: BufferPool;
  readonly #valve = new GarbageValve();
  #inFlight = 0;
  #closing = false;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(options: DataServerOptions) {
    this.#options = options;
    this.#buffers = new BufferPool(options.maxBodyBytes);
    this.#server = createServer({
      requestTimeout: 60_000,
      keepAliveTimeout: 65_000,
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
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no new connections, answers what was asked for at most `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    await closeWhenAnswered(this.#server, this.#sockets, () => this.#inFlight > 0, graceMs);
  }

  #dispatch(request: IncomingMessage, response: ServerResponse): void {
    const { routes } = this.#options;
    const url = request.url ?? "/";
    const query = url.indexOf("?");
    const path = query < 0 ? url : url.slice(0, query);
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

  #post(path: string, handle: Handler, request: IncomingMessage, response: ServerResponse): void {
    const { maxBodyBytes, inFlight, routes } = this.#options;
    const length = request.headers["content-length"];
    const bytes = length === undefined ? maxBodyBytes : Number(length);
    let charged = 0;
    const charge = (more: number): VariscaleError | null => {
      const refusal = inFlight.take(more, charged);
      if (refusal) routes.refused(path, request.headers, refusal);
      else charged += more;
      return refusal;
    };
    if (bytes > maxBodyBytes) {
      this.#send(response, tooLarge(maxBodyBytes));
      return;
    }
    const refusal = length === undefined ? null : charge(bytes);
    if (refusal) throw refusal;
    const pooled = length === undefined ? null : this.#buffers.take(bytes);
    let release: (() => void) | null = () => {
      release = null;
      inFlight.give(charged);
      this.#valve.passed(charged);
      if (pooled) this.#buffers.give(pooled);
    };
    let gone: (() => void) | null = null;
    response.once("close", () => {
      if (!response.writableFinished) gone?.();
    });
    const onGone = (callback: () => void): void => {
      gone = callback;
    };
    const fail = (error: unknown): void => {
      release?.();
      this.#fail(request, response, error);
    };
    const done = (answer: DataResponse): void => {
      this.#send(response, answer);
      release?.();
    };
    new BodyReader(request, pooled, bytes, charge, body => {
      if (body === null) done(tooLarge(maxBodyBytes));
      else if (body instanceof Error) fail(body);
      else handle({ headers: request.headers, body, charge, onGone }).then(done, fail);
    });
  }

  #fail(request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
    const error = VariscaleError.from(thrown);
    if (error.code === "internal") this.#options.logger.error({ err: error, path: request.url }, "request failed");
    if (!response.headersSent) this.#send(response, errorOf(error));
    else {
      response.destroy();
      this.#inFlight--;
    }
  }

  #send(response: ServerResponse, answer: DataResponse): void {
    const parts = answer.parts ?? (answer.json === undefined ? [] : [JSON.stringify(answer.json)]);
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
