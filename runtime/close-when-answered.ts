import type { Server } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How often an ending server looks whether all answers are on their way. */
const CHECK_MS = 10;

/** The connections of a server that are open now, kept up to date. */
export function openSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", socket => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}

/**
 * Takes no new connections, waits until nothing is asked for that has no answer and all of every answer has left the process, at most
 * `graceMs`, then cuts what is left.
 *
 * @param sockets of `openSockets()`.
 * @param isBusy something is asked for that has no answer yet.
 */
export async function closeWhenAnswered(
  server: Server,
  sockets: ReadonlySet<Socket>,
  isBusy: () => boolean,
  graceMs: number,
): Promise<void> {
  // The HTTP server's own close() cuts connections whose answer was handed over, but has not left the process yet.
  const closed = new Promise<void>(resolve => NetServer.prototype.close.call(server, () => resolve()));
  const endMs = performance.now() + graceMs;
  while ((isBusy() || isSending(sockets)) && performance.now() < endMs) await sleep(CHECK_MS);
  for (const socket of sockets) socket.destroy();
  server.closeAllConnections();
  await closed;
  // Ends its timer.
  server.close();
}

function isSending(sockets: ReadonlySet<Socket>): boolean {
  for (const { writableLength } of sockets) if (writableLength > 0) return true;
  return false;
}
