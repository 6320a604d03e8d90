import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "pino";
import { VariscaleError } from "../domain/errors.ts";
import { httpStatusOf } from "../runtime/error-status.ts";
import { BufferPool } from "./buffer-pool.ts";
import { GarbageValve } from "./garbage-valve.ts";
import { readChunked, readDeclared } from "./read-body.ts";

/** What a handler of the data server answers. */
export interface DataResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  /** Bytes as they are, anything else as JSON. */
  readonly parts?: readonly Uint8Array[];
  readonly json?: unknown;
}

export interface DataRequest {
  readonly headers: IncomingMessage["headers"];
  /** Only until the answer is there: the memory is used again. */
  readonly body: Buffer;
  /** Calls back once if the client goes away before it has an answer. */
  onGone(callback: () => void): void;
}

export interface DataRoutes {
  /** The path without the query. Null: there is nothing. */
  get(path: string): DataResponse | null;
  /** The handler of requests to this path. Null: there is none. */
  post(path: string): ((request: DataRequest) => Promise<DataResponse>) | null;
}

export interface DataServerOptions {
  readonly host: string;
  readonly port: number;
  readonly routes: DataRoutes;
  readonly logger: Logger;
  readonly maxBodyBytes: number;
  /** Of all bodies that are read or worked on at the same time. */
  readonly maxInFlightBytes: number;
}

/**
 * The HTTP server of the inference path. It does less per request than the general one of runtime/: no parameters, no query,
 * a body that is copied once, so that a request costs little beside a model of a millisecond.
 */
export class DataServer {
  readonly #options: DataServerOptions;
  readonly #server: Server;
  readonly #buffers: BufferPool;
  readonly #valve = new GarbageValve();
  #inFlight = 0;
  #inFlightBytes = 0;
  #closing = false;
  #whenIdle: (() => void) | null = null;

  private constructor(options: DataServerOptions) {
    this.#options = options;
    this.#buffers = new BufferPool(options.maxBodyBytes);
    this.#server = createServer({ requestTimeout: 60_000, keepAliveTimeout: 65_000, noDelay: true });
    this.#server.on("request", (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        options.logger.error({ err: error, path: request.url }, "could not answer");
        response.destroy();
      });
    });
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
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    if (this.#inFlight > 0) {
      const idle = new Promise<void>(resolve => {
        this.#whenIdle = resolve;
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>(resolve => {
        timer = setTimeout(resolve, graceMs);
      });
      await Promise.race([idle, late]);
      clearTimeout(timer);
    }
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#inFlight++;
    try {
      this.#send(response, await this.#dispatch(request, response));
    } catch (thrown) {
      const error = VariscaleError.from(thrown);
      if (error.code === "internal") this.#options.logger.error({ err: error, path: request.url }, "request failed");
      if (!response.headersSent) this.#send(response, errorOf(error));
    } finally {
      this.#inFlight--;
      if (this.#inFlight === 0) this.#whenIdle?.();
    }
  }

  async #dispatch(request: IncomingMessage, response: ServerResponse): Promise<DataResponse> {
    const url = request.url ?? "/";
    const query = url.indexOf("?");
    const path = query < 0 ? url : url.slice(0, query);
    const post = this.#options.routes.post(path);
    if (request.method === "POST" && post) return await this.#post(post, request, response);
    const answer = request.method === "GET" || request.method === "HEAD" ? this.#options.routes.get(path) : null;
    if (answer) return answer;
    if (post === null && this.#options.routes.get(path) === null)
      return { status: 404, json: { error: `there is nothing at ${path}` } };
    const allow = post ? "POST" : "GET";
    return { status: 405, headers: { allow }, json: { error: `use ${allow}` } };
  }

  async #post(
    handle: (request: DataRequest) => Promise<DataResponse>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<DataResponse> {
    const { maxBodyBytes, maxInFlightBytes } = this.#options;
    const length = request.headers["content-length"];
    const bytes = length === undefined ? maxBodyBytes : Number(length);
    if (bytes > maxBodyBytes) return tooLarge(maxBodyBytes);
    if (this.#inFlightBytes > 0 && this.#inFlightBytes + bytes > maxInFlightBytes)
      throw new VariscaleError("resource_exhausted", `${this.#inFlightBytes} bytes of requests are being worked on`);
    this.#inFlightBytes += bytes;
    const pooled = length === undefined ? null : this.#buffers.take(bytes);
    try {
      const body = pooled ? Buffer.from(pooled, 0, bytes) : await readChunked(request, maxBodyBytes);
      if (body === null) return tooLarge(maxBodyBytes);
      if (pooled) await readDeclared(request, body);
      const onGone = (callback: () => void): void => {
        response.once("close", () => {
          if (!response.writableFinished) callback();
        });
      };
      return await handle({ headers: request.headers, body, onGone });
    } finally {
      this.#inFlightBytes -= bytes;
      this.#valve.passed(bytes);
      if (pooled) this.#buffers.give(pooled);
    }
  }

  #send(response: ServerResponse, answer: DataResponse): void {
    const parts = answer.parts ?? (answer.json === undefined ? [] : [Buffer.from(JSON.stringify(answer.json))]);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const type = answer.json === undefined ? {} : { "content-type": "application/json" };
    const connection = this.#closing || answer.status === 413 ? { connection: "close" } : {};
    response.writeHead(answer.status, { ...type, "content-length": bytes, ...connection, ...answer.headers });
    if (response.req.method === "HEAD") response.end();
    else if (parts.length <= 1) response.end(parts[0]);
    else {
      response.cork();
      for (const part of parts) response.write(part);
      response.end();
    }
  }
}

function errorOf(error: VariscaleError): DataResponse {
  const retry = error.code === "resource_exhausted" || error.code === "unavailable";
  return {
    status: httpStatusOf(error.code),
    ...(retry && { headers: { "retry-after": 1 } }),
    json: { error: error.message, code: error.code },
  };
}

function tooLarge(maxBodyBytes: number): DataResponse {
  const error = `the body must not have more than ${maxBodyBytes} bytes`;
  return { status: 413, json: { error, code: "invalid_argument" } };
}
