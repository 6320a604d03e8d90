import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ByteBudget, HeldBytes } from "./byte-budget.ts";
import { limitConnections } from "./connection-limits.ts";
import { freeChunk } from "./http/body-reader.ts";
import { NoRoom } from "./http/read-body.ts";
import type { HttpServerOptions } from "./http-server.ts";
import { HANDSHAKE_WITHIN_MS } from "./tls-material.ts";

const DEFAULT_CONNECTIONS = 1024;
/** The most bytes that all headers of one request have together. */
export const MOST_HEADER_BYTES = 16 * 1024;
/** An answer whose client reads nothing for this long is cut. */
const UNREAD_ANSWER_MS = 30_000;
/**
 * Requests of one connection that have no answer yet. Node hands out all that came in one piece, so a client that never waits for an answer
 * would fill the memory with them; a connection that has more is closed.
 */
export const MOST_PIPELINED = 32;
/** An answer of so many bytes needs no room in the budget, so that probes are answered where memory is short. */
const SMALL_ANSWER_BYTES = 16 * 1024;
/** Each further request on a connection takes this before it begins: it may have headers of so many bytes, and a small answer. */
const PIPELINED_BYTES = MOST_HEADER_BYTES + SMALL_ANSWER_BYTES;
/** How often Node looks for requests that are not whole in time. Its default of half a minute would double their time. */
const CHECK_TIMEOUTS_MS = 5000;
/** How often a server that closes looks whether all answers have left. */
const CHECK_MS = 10;
/** An answer of this size goes to the kernel in one write, unless its client has stopped reading. */
const AT_ONCE_BYTES = 16 * 1024;

interface ServerOptions extends Pick<HttpServerOptions, "maxConnections" | "requestTimeoutMs" | "tls"> {
  readonly budget: ByteBudget;
}

/** Node's HTTP server, with mutual TLS where that is wanted, and with limits. */
export function createHttpServer(options: ServerOptions, listener: RequestListener): Server {
  const limits = {
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    keepAliveTimeout: 65_000,
    maxHeaderSize: MOST_HEADER_BYTES,
    connectionsCheckingInterval: CHECK_TIMEOUTS_MS,
  };
  const bounded = boundPipelining(listener, options.budget);
  const server = options.tls ? createMutualServer(options.tls, limits, bounded) : createServer(limits, bounded);
  limitConnections(server, {
    maxConnections: options.maxConnections ?? DEFAULT_CONNECTIONS,
    unreadAnswerMs: UNREAD_ANSWER_MS,
  });
  return server;
}

function createMutualServer(tls: NonNullable<ServerOptions["tls"]>, limits: object, listener: RequestListener): Server {
  let inUse = tls.material;
  const server = createTlsServer(
    {
      ...inUse.context,
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_WITHIN_MS,
      ...limits,
    },
    listener,
  );
  tls.watch(() => {
    if (tls.material === inUse) return;
    inUse = tls.material;
    server.setSecureContext(inUse.context);
  });
  return server;
}

/**
 * Bounds the requests that wait for answers on one connection. The first one is free, as the number of connections bounds those; each further one
 * takes its memory of one half of the budget before it begins. One that has no room is refused, and its connection ends once those before it are
 * answered: what comes behind it is neither read nor answered. A connection with too many is closed at once.
 */
function boundPipelining(listener: RequestListener, budget: ByteBudget): RequestListener {
  const unanswered = new WeakMap<Socket, number>();
  const refused = new WeakSet<Socket>();
  const holdFurther = (held: HeldBytes): boolean =>
    budget.usedBytes + PIPELINED_BYTES <= budget.maxBytes / 2 && held.take(PIPELINED_BYTES);
  return (request, response) => {
    const { socket } = request;
    // Node goes on with what came in the same piece, though the connection is gone.
    if (socket.destroyed) return;
    const before = unanswered.get(socket) ?? 0;
    const held = budget.hold();
    if (before >= MOST_PIPELINED) {
      socket.destroy();
      return;
    }
    unanswered.set(socket, before + 1);
    response.prependListener("finish", () => discardUnread(request));
    callOnceOver(response, () => {
      held.release();
      unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1);
    });
    // Node still hands out what came in the same piece as a request that was refused.
    if (refused.has(socket)) return;
    if (before === 0 || holdFurther(held)) listener(request, response);
    else {
      refused.add(socket);
      socket.pause();
      refuseLast(response);
    }
  };
}

/**
 * Throws away what still comes of a body that was answered without having been read. Node would do the same, but leave its memory to the
 * garbage collector, which waits until there are some 100 MiB of it.
 */
function discardUnread(request: IncomingMessage): void {
  if (request.complete || request.readableFlowing !== null) return;
  request.on("data", freeChunk);
  // Now the body counts as read for Node.
  request.read(0);
}

/** Node sends it after the answers to the requests before it, and then ends the connection. */
function refuseLast(response: ServerResponse): void {
  const { message, code } = new NoRoom();
  response.writeHead(503, { "content-type": "application/json", "retry-after": "1", connection: "close" });
  response.end(JSON.stringify({ error: message, code }));
}

/** Takes memory for an answer, where it needs any. False: there is no room. */
export function holdAnswer(held: HeldBytes, bytes: number): boolean {
  return bytes <= SMALL_ANSWER_BYTES || held.take(bytes);
}

/** The answers of each connection that are not over, by what is called at their end. */
const openAnswers = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls back once an answer has left or its connection is gone. Node 20 and 22 never close an answer that waits behind another one of the same
 * connection when that connection ends, so the answer's own event is not enough.
 */
export function callOnceOver(response: ServerResponse, callBack: () => void): void {
  const { socket } = response.req;
  let open = openAnswers.get(socket);
  if (!open) {
    const created = new Set<() => void>();
    socket.once("close", () => {
      for (const end of created) end();
    });
    openAnswers.set(socket, created);
    open = created;
  }
  const answers = open;
  const end = (): void => {
    if (answers.delete(end)) callBack();
  };
  answers.add(end);
  response.once("close", end);
  if (socket.closed) end();
}

/**
 * Follows what a server is asked, so that it can end without cutting an answer.
 *
 * @returns what ends it: no connection is accepted any more, what is asked for is answered for at most `graceMs`, and what is left is cut.
 */
export function followAnswers(server: Server): (graceMs: number) => Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const unanswered = new Set<{ readonly writableEnded: boolean }>();
  server.on("request", (_request, response: ServerResponse) => {
    unanswered.add(response);
    callOnceOver(response, () => unanswered.delete(response));
  });
  // Node takes a connection for idle once its answer was handed over, though the answer may still be in this process.
  const isSending = (): boolean => [...unanswered].some(response => response.writableEnded);
  return async graceMs => {
    const endMs = performance.now() + graceMs;
    while (isSending() && performance.now() < endMs) await sleep(CHECK_MS);
    await closeWhenAnswered(server, () => unanswered.size > 0, sockets, endMs - performance.now());
  };
}

/**
 * Sends the body of an answer and ends it. Node's `server.close()` destroys each connection whose answer was ended, although a part of that
 * answer may still wait in this process, so a long answer is ended only when all of it has left.
 *
 * @param bytes the length of all parts together.
 */
export function sendBody(response: ServerResponse, parts: readonly (Uint8Array | string)[], bytes: number): void {
  const last = parts.at(-1);
  if (response.req.method === "HEAD" || last === undefined) {
    response.end();
    return;
  }
  response.cork();
  for (const part of parts.slice(0, -1)) response.write(part);
  if (bytes <= AT_ONCE_BYTES) {
    response.end(last);
    return;
  }
  response.write(last, error => {
    if (!error) response.end();
  });
  response.uncork();
}

/**
 * Takes no new connections, waits at most `graceMs` until every answer has left, then cuts what is left.
 *
 * @param isBusy says whether an answer is still to come, or was sent with `sendBody()` and has not left this process yet.
 * @param sockets all open connections: with TLS also those whose client has not shown who it is yet.
 */
export async function closeWhenAnswered(
  server: Server,
  isBusy: () => boolean,
  sockets: Iterable<Socket>,
  graceMs: number,
): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  const endMs = performance.now() + graceMs;
  while (isBusy() && performance.now() < endMs) await sleep(CHECK_MS);
  for (const socket of sockets) socket.destroy();
  await closed;
}
