import type { Server as NetServer, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";

export interface ConnectionLimits {
  /** Connections that are open at once; Node closes each one above that as it comes. */
  readonly maxConnections: number;
  /** How long an answer may lie unread, beside the time that its bytes take at the slowest pace that is allowed. */
  readonly unreadAnswerMs: number;
  /**
   * The slowest pace at which a client may read. It counts because one write can be many MiB long, and Node tells only when all of it has
   * left. Default: 256 KB/s.
   */
  readonly slowestBytesPerMs?: number;
}

export const SLOWEST_BYTES_PER_MS = 256;
const MOST_SWEEP_MS = 5000;

interface Unread {
  bytes: number;
  sinceMs: number;
}

/**
 * Bounds the connections of `server`, and ends those whose client does not read its answer: such an answer would stay in memory for as long
 * as the client likes. Works for HTTP, HTTPS and plain TCP servers, before or after they listen.
 */
export function limitConnections(server: NetServer, limits: ConnectionLimits): void {
  server.maxConnections = limits.maxConnections;
  const slowestBytesPerMs = limits.slowestBytesPerMs ?? SLOWEST_BYTES_PER_MS;
  const unread = new Map<Socket, Unread>();
  server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
    unread.set(socket, { bytes: 0, sinceMs: performance.now() });
    socket.once("close", () => unread.delete(socket));
  });
  const sweepMs = Math.min(MOST_SWEEP_MS, Math.max(limits.unreadAnswerMs / 4, 10));
  const timer = setInterval(() => {
    const nowMs = performance.now();
    for (const [socket, state] of unread) {
      const bytes = socket.writableLength;
      if (bytes === 0 || bytes !== state.bytes) {
        state.bytes = bytes;
        state.sinceMs = nowMs;
      } else if (nowMs - state.sinceMs > limits.unreadAnswerMs + bytes / slowestBytesPerMs) socket.destroy();
    }
  }, sweepMs).unref();
  server.once("close", () => clearInterval(timer));
}
