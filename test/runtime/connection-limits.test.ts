import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import { describe, it } from "mocha";
import { limitConnections } from "../../runtime/connection-limits.ts";

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("connection limits", () => {
  it("close a connection above the highest number", async () => {
    const server = createTcpServer(socket => socket.on("error", () => {}));
    limitConnections(server, { maxConnections: 2, unreadAnswerMs: 1000 });
    const port = await listen(server);
    const kept = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    await Promise.all(kept.map(socket => once(socket, "connect")));
    const refused = connect(port, "127.0.0.1").on("error", () => {});
    await once(refused, "close");
    assert.deepEqual(
      kept.map(socket => socket.destroyed),
      [false, false],
    );
    for (const socket of kept) socket.destroy();
    server.close();
  });

  it("end a connection whose client does not read, and keep one that reads and one that is idle", async () => {
    const body = Buffer.alloc(16 * 1024 * 1024);
    const server = createServer((_request, response) => response.end(body));
    limitConnections(server, { maxConnections: 10, unreadAnswerMs: 100, slowestBytesPerMs: 10_000 });
    const port = await listen(server);
    const idle = connect(port, "127.0.0.1");
    await once(idle, "connect");
    const deaf = connect(port, "127.0.0.1").on("error", () => {});
    deaf.pause();
    const cut = new Promise<void>(resolve => {
      server.once("request", request => request.socket.once("close", () => resolve()));
    });
    deaf.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await cut;
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    let bytes = 0;
    for await (const chunk of answer.body ?? []) {
      bytes += chunk.length;
    }
    assert.equal(bytes, body.length);
    assert.equal(idle.destroyed, false);
    deaf.destroy();
    idle.destroy();
    server.closeAllConnections();
    server.close();
  });
});
