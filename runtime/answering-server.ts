import { createServer, type RequestListener, type Server } from "node:http";
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
  server.on("request", (_request, response) => {
    unanswered.add(response);
    response.once("close", () => unanswered.delete(response));
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
