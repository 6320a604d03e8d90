import type { Server, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** How often a server that closes looks whether all answers have left. */
const CHECK_MS = 10;
/** An answer of this size goes to the kernel in one write, unless its client has stopped reading. */
const AT_ONCE_BYTES = 16 * 1024;

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
 */
export async function closeWhenAnswered(server: Server, isBusy: () => boolean, graceMs: number): Promise<void> {
  const closed = new Promise<void>(resolve => server.close(() => resolve()));
  const endMs = performance.now() + graceMs;
  while (isBusy() && performance.now() < endMs) await sleep(CHECK_MS);
  server.closeAllConnections();
  await closed;
}
