import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { VariscaleError } from "../domain/errors.ts";
import { limitConnections } from "./connection-limits.ts";
import type { HttpServerOptions } from "./http-server.ts";
import { HANDSHAKE_WITHIN_MS } from "./tls-material.ts";

const DEFAULT_CONNECTIONS = 1024;
/** The most bytes that all headers of one request have together. */
export const MOST_HEADER_BYTES = 16 * 1024;
/** An answer whose client reads nothing for this long is cut. */
const UNREAD_ANSWER_MS = 30_000;
/** How often an ending server looks whether its answers are on their way. */
const CHECK_MS = 10;

type ServerOptions = Pick<HttpServerOptions, "maxConnections" | "requestTimeoutMs" | "tls">;

/** Node's HTTP server, with mutual TLS where that is wanted, and with limits. */
export function createHttpServer(options: ServerOptions, listener: RequestListener): Server {
  const limits = {
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    keepAliveTimeout: 65_000,
    maxHeaderSize: MOST_HEADER_BYTES,
  };
  const server = options.tls ? createMutualServer(options.tls, limits, listener) : createServer(limits, listener);
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

export function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", error => {
      const message = `cannot listen on ${host}:${port}: ${error.message}. Free the port or choose another one.`;
      reject(new VariscaleError("failed_precondition", message, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
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
    const closed = new Promise<void>(resolve => server.close(() => resolve()));
    while (unanswered.size > 0 && performance.now() < endMs) await sleep(CHECK_MS);
    for (const socket of sockets) socket.destroy();
    await closed;
  };
}
