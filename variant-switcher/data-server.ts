import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { VariscaleError } from "../domain/errors.ts";
import { closeWhenAnswered, MOST_PIPELINED } from "../runtime/answering-server.ts";
import type { ByteBudget } from "../runtime/byte-budget.ts";
import { type ConnectionLimits, limitConnections } from "../runtime/connection-limits.ts";
import { type BodyOutcome, BodyReader, OpenBodies } from "../runtime/http/body-reader.ts";
import { BufferPool } from "../runtime/http/buffer-pool.ts";
import { BodyTooSlow } from "../runtime/http/read-body.ts";
import { type ListenOptions, listen } from "../runtime/listen.ts";
import { type DataResponse, errorResponse } from "./data-response.ts";
import type { DataRoutes, PostRoute } from "./data-routes.ts";
import { Exchange, noRoom } from "./exchange.ts";
import { RequestTooLarge } from "./request-too-large.ts";

export interface DataServerOptions extends ListenOptions {
  readonly routes: DataRoutes;
  /** The largest body of any route. */
  readonly maxBodyBytes: number;
  readonly budget: ByteBudget;
  /** Default: 1,000 connections, and 30 s for an answer to be read. */
  readonly limits?: ConnectionLimits;
  /** How often the pace of bodies is looked at; a body has five looks. Default 1 s. */
  readonly paceMs?: number;
}

/** The beginning of a body comes with its head: with less than this the socket would be stopped and started again for it. */
const READ_AHEAD_BYTES = 256 * 1024;
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 20_000;
const KEEP_ALIVE_MS = 65_000;
const CHECK_TIMEOUTS_MS = 5000;
const LIMITS: ConnectionLimits = { maxConnections: 1000, unreadAnswerMs: 30_000 };
/** A client is told this whose request Node can't read. */
const REFUSED_BY_NODE: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/**
 * The HTTP server of the inference path. It does less per request than a framework would: no parameters, no query, a body that is copied
 * once or twice, no promise of its own, so that a request costs little beside a model of a millisecond.
 */
export class DataServer {
  readonly #options: DataServerOptions;
  readonly #server: Server;
  readonly #bodies: OpenBodies;
  /** The requests of each open connection that have no answer, or whose answer has not left yet. */
  readonly #open = new Map<Socket, Set<Exchange>>();
  #busy = 0;
  #isClosing = false;

  private constructor(options: DataServerOptions) {
    this.#options = options;
    this.#bodies = new OpenBodies(new BufferPool(options.maxBodyBytes), options.paceMs);
    this.#server = createServer({
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: CHECK_TIMEOUTS_MS,
      noDelay: true,
      highWaterMark: READ_AHEAD_BYTES,
    });
    limitConnections(this.#server, options.limits ?? LIMITS);
    this.#server.on("connection", (socket: Socket) => {
      const open = new Set<Exchange>();
      this.#open.set(socket, open);
      socket.once("close", () => {
        this.#open.delete(socket);
        for (const exchange of open) exchange.cut();
      });
    });
    this.#server.on("request", (request, response) => this.#begin(request, response));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket as Socket));
  }

  static async start(options: DataServerOptions): Promise<DataServer> {
    const server = new DataServer(options);
    await listen(server.#server, options);
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no new connections, answers what was asked for at most `graceMs`, then cuts what is left. */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    await closeWhenAnswered(this.#server, () => this.#busy > 0, this.#open.keys(), graceMs);
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const open = this.#open.get(socket);
    if (!open || open.size >= MOST_PIPELINED) {
      socket.destroy();
      return;
    }
    const exchange = new Exchange(request, response, this.#options.budget, () => {
      this.#busy--;
      open.delete(exchange);
    });
    this.#busy++;
    open.add(exchange);
    try {
      this.#dispatch(exchange);
    } catch (error) {
      this.#fail(exchange, error);
    }
  }

  #dispatch(exchange: Exchange): void {
    const { routes } = this.#options;
    const { path } = exchange;
    const { method } = exchange.request;
    const post = method === "GET" ? null : routes.post(path);
    if (post && method === "POST") {
      this.#read(exchange, post);
      return;
    }
    const answer = post ? null : routes.get(path);
    if (answer && (method === "GET" || method === "HEAD")) this.#send(exchange, answer);
    else if (!answer && !post && !routes.post(path))
      this.#send(exchange, { status: 404, json: { error: `there is nothing at ${path}` } });
    else {
      const allow = answer ? "GET" : "POST";
      this.#send(exchange, { status: 405, headers: { allow }, json: { error: `use ${allow}` } });
    }
  }

  #read(exchange: Exchange, route: PostRoute): void {
    const { request, held } = exchange;
    const { maxBodyBytes } = route;
    const declaredBytes = Number(request.headers["content-length"] ?? 0);
    if (declaredBytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
    const options = { maxBytes: maxBodyBytes, held, bodies: this.#bodies, declaredBytes };
    exchange.startReading(new BodyReader(request, options, outcome => this.#handle(exchange, route, outcome)));
  }

  #handle(exchange: Exchange, { handle, maxBodyBytes }: PostRoute, body: BodyOutcome): void {
    if (body === "full") this.#fail(exchange, this.#tellRefused(exchange, noRoom(this.#options.budget)));
    else if (body === "too large") this.#fail(exchange, tooLarge(maxBodyBytes));
    else if (body === "too slow") this.#send(exchange, TOO_SLOW);
    else {
      exchange.startWorking();
      const charge = (bytes: number): VariscaleError | null => {
        const refusal = exchange.charge(bytes);
        return refusal && this.#tellRefused(exchange, refusal);
      };
      const onGone = (callback: () => void): void => exchange.onGone(callback);
      handle({ headers: exchange.request.headers, body, charge, onGone }).then(
        answer => this.#send(exchange, answer),
        (error: unknown) => this.#fail(exchange, error),
      );
    }
  }

  #tellRefused({ path, request }: Exchange, refusal: VariscaleError): VariscaleError {
    this.#options.routes.refused(path, request.headers, refusal);
    return refusal;
  }

  #fail(exchange: Exchange, thrown: unknown): void {
    const error = VariscaleError.from(thrown);
    if (error.code === "internal") this.#options.logger.error({ err: error, path: exchange.path }, "request failed");
    this.#send(exchange, errorResponse(error));
  }

  #send(exchange: Exchange, answer: DataResponse): void {
    const isLast = this.#isClosing || answer.status === 413 || answer.status === 408;
    exchange.send(answer, this.#busy === 1, isLast);
  }

  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    const open = [...(this.#open.get(socket) ?? [])];
    // Bytes that come between the answers to earlier requests would be taken for a part of these.
    if (!socket.writable || open.some(({ request }) => request.complete)) socket.destroy();
    else
      socket.end(
        `HTTP/1.1 ${REFUSED_BY_NODE[error.code ?? ""] ?? "400 Bad Request"}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
  }
}

const TOO_SLOW: DataResponse = { ...errorResponse(new BodyTooSlow()), status: 408 };

function tooLarge(maxBodyBytes: number): RequestTooLarge {
  return new RequestTooLarge(`the body must not have more than ${maxBodyBytes} bytes`);
}
