import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, beforeEach, describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { GrowingBytes } from "../../runtime/http-body.ts";
import { type HttpServer, startHttpServer } from "../../runtime/http-server.ts";
import { createLogger } from "../../runtime/logger.ts";
import { until } from "../support/until.ts";

const KIB = 1024;

describe("GrowingBytes", () => {
  it("takes memory for the bytes that came, whatever the size of their pieces", () => {
    for (const pieceBytes of [1, 7, 1000]) {
      const budget = new ByteBudget(1e9);
      const bytes = new GrowingBytes(budget.hold(), 1e9);
      const piece = Buffer.alloc(pieceBytes);
      let steps = 0;
      let copied = 0;
      for (let sent = 0; sent < 1_000_000; sent += pieceBytes) {
        const { capacity, length } = bytes;
        piece.fill(sent % 251);
        assert.ok(bytes.add(piece));
        if (bytes.capacity === capacity) continue;
        steps++;
        copied += length;
      }
      assert.equal(bytes.bytes()[300 * pieceBytes], (300 * pieceBytes) % 251);
      assert.equal(budget.usedBytes, bytes.length);
      assert.ok(bytes.capacity <= 8 * bytes.length, `${bytes.capacity}`);
      assert.ok(steps <= 10 && copied <= 2 * bytes.length, `${steps} steps, ${copied} bytes copied`);
    }
  });

  it("takes no more than is declared, and nothing where there is no room", () => {
    const budget = new ByteBudget(10 * KIB);
    const bytes = new GrowingBytes(budget.hold(), 9 * KIB);
    for (let i = 0; i < 9; i++) assert.ok(bytes.add(Buffer.alloc(KIB)));
    assert.equal(budget.usedBytes, 9 * KIB);
    const more = new GrowingBytes(budget.hold(), 9 * KIB);
    assert.equal(more.add(Buffer.alloc(2 * KIB)), false);
    assert.deepEqual([more.length, budget.usedBytes], [0, 9 * KIB]);
  });
});

describe("startHttpServer(), where memory is short", () => {
  let server: HttpServer;
  let budget: ByteBudget;
  const sockets: Socket[] = [];

  before(async () => {
    budget = new ByteBudget(100 * KIB);
    server = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent"), budget, maxConnections: 20 },
      maxBodyBytes: 200 * KIB,
      routes: [
        { method: "POST", path: "/echo", handle: ({ body }) => ({ status: 200, body: { bytes: body.length } }) },
        { method: "GET", path: "/small", handle: () => ({ status: 200, body: "small" }) },
        { method: "GET", path: "/large", handle: () => ({ status: 200, body: Buffer.alloc(90 * KIB) }) },
        {
          method: "POST",
          path: "/own",
          handle: () => ({ status: 200 }),
          answerNoRoom: ({ path }) => ({ status: 503, body: { path } }),
        },
        {
          method: "POST",
          path: "/refused",
          handle: () => ({ status: 200 }),
          refuse: ({ query }) => (query.get("token") === "right" ? null : { status: 401, body: "no" }),
        },
      ],
    });
  });

  beforeEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await until(() => budget.usedBytes === 0);
  });

  after(() => server.close(0));

  /** Sends a text and gives all that comes back until `isEnough`. */
  function open(text: string): { readonly socket: Socket; readonly answered: (start: RegExp) => Promise<string> } {
    const socket = connect(server.port, "127.0.0.1").setEncoding("latin1");
    sockets.push(socket);
    let got = "";
    socket.on("data", (data: string) => {
      got += data;
    });
    socket.on("error", () => {});
    socket.write(text);
    return {
      socket,
      answered: async start => {
        await until(() => start.test(got));
        return got;
      },
    };
  }

  const post = (path: string, length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

  it("refuses what is declared too large, or has no room, before any of the body came", async () => {
    assert.match(
      await open(post("/echo", 201 * KIB)).answered(/"code"/),
      /^HTTP\/1.1 413 .*connection: close.*invalid_argument/is,
    );
    assert.match(
      await open(post("/echo", 150 * KIB)).answered(/"code"/),
      /^HTTP\/1.1 503 .*retry-after: 1.*resource_exh/is,
    );
    assert.match(await open(post("/own", 150 * KIB)).answered(/"path"/), /^HTTP\/1.1 503 .*"path":"\/own"/is);
  });

  it("asks for the token before the body", async () => {
    await open(post("/refused", 50)).answered(/^HTTP\/1.1 401 /);
    await open(`${post("/refused?token=right", 2)}{}`).answered(/^HTTP\/1.1 200 /);
  });

  it("reads no body of a path or method that is not there", async () => {
    await open(post("/nothing", 50)).answered(/^HTTP\/1.1 404 /);
    await open(post("/small", 50)).answered(/^HTTP\/1.1 405 /);
  });

  it("counts bodies as they come, not as they are announced, and goes on once they are gone", async () => {
    const idle = Array.from({ length: 5 }, () => open(post("/echo", 90 * KIB)));
    await open(`${post("/echo", 2)}{}`).answered(/"bytes":2/);
    for (const { socket } of idle.slice(0, 2)) socket.write(Buffer.alloc(45 * KIB));
    await until(() => budget.usedBytes >= 90 * KIB);
    await open(`${post("/echo", 12 * KIB)}`).answered(/^HTTP\/1.1 503 /);
    await open("GET /small HTTP/1.1\r\nHost: x\r\n\r\n").answered(/small/);
    for (const { socket } of idle) socket.destroy();
    await until(() => budget.usedBytes === 0);
    await open(`${post("/echo", 2)}{}`).answered(/"bytes":2/);
  });

  it("keeps the memory of small chunks small", async () => {
    const { socket } = open("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (let sent = 0; sent < 40_000; sent += 1000) socket.write("1\r\na\r\n".repeat(1000));
    await until(() => budget.usedBytes >= 40_000);
    assert.ok(budget.usedBytes <= 64 * KIB, `${budget.usedBytes}`);
  });

  it("throws the rest of a refused body away, and answers the next request on the connection", async () => {
    const { socket, answered } = open("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    const chunk = `${(10 * KIB).toString(16)}\r\n${"a".repeat(10 * KIB)}\r\n`;
    for (let i = 0; i < 15; i++) socket.write(chunk);
    await answered(/^HTTP\/1.1 503 /);
    socket.write(`0\r\n\r\n${post("/echo", 2)}{}`);
    await answered(/"bytes":2/);
  });

  it("counts answers that nobody reads", async () => {
    const get = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
    const { socket } = open("");
    socket.pause();
    // The system's buffers of the connection take the first answers; then they stay in the process.
    let seen = 0;
    await until(() => {
      if (seen < 20) socket.write(get);
      seen = budget.usedBytes >= 90 * KIB ? seen + 1 : 0;
      return seen > 50;
    });
    await open(`${post("/echo", 12 * KIB)}`).answered(/^HTTP\/1.1 503 /);
    socket.destroy();
    await until(() => budget.usedBytes === 0);
  });

  it("closes connections above the limit", async () => {
    const open21 = Array.from({ length: 21 }, () => open(""));
    await until(() => open21.some(({ socket }) => socket.closed));
    assert.equal(open21.filter(({ socket }) => !socket.closed).length, 20);
  });
});
