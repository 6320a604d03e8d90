import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { after, before, beforeEach, describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { type BodyOutcome, BodyReader } from "../../runtime/http/body-reader.ts";
import { BufferPool } from "../../runtime/http/buffer-pool.ts";
import { type HttpServer, startHttpServer } from "../../runtime/http-server.ts";
import { createLogger } from "../../runtime/logger.ts";
import { until } from "../support/until.ts";

const KIB = 1024;

describe("BodyReader", () => {
  /** Node 20 can't give memory back before garbage is collected. */
  const isFreed = (piece: Buffer): boolean => piece.length === 0 || !("transfer" in ArrayBuffer.prototype);

  it("gives the memory of pieces back once they are copied, and of those that it refuses, but not of a piece of shared memory", () => {
    const body = new PassThrough();
    const held = new ByteBudget(100 * KIB).hold();
    const buffers = new BufferPool(100 * KIB);
    const outcomes: BodyOutcome[] = [];
    new BodyReader(body, { maxBytes: 200 * KIB, held, buffers }, outcome => outcomes.push(outcome));
    const shared = Buffer.alloc(16 * KIB);
    const pieces = [60, 60, 60].map(kib => Buffer.allocUnsafeSlow(kib * KIB));
    body.write(shared.subarray(0, 8 * KIB));
    for (const piece of pieces) body.write(piece);
    assert.deepEqual(outcomes, ["full"]);
    assert.deepEqual([shared.length, ...pieces.map(isFreed)], [16 * KIB, true, true, true]);
  });
});

describe("startHttpServer(), where memory is short", () => {
  let server: HttpServer;
  let budget: ByteBudget;
  const sockets: Socket[] = [];
  const kept: Buffer[] = [];

  before(async () => {
    budget = new ByteBudget(100 * KIB);
    server = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent"), budget, maxConnections: 20 },
      maxBodyBytes: 200 * KIB,
      routes: [
        { method: "POST", path: "/echo", handle: ({ body }) => ({ status: 200, body: { bytes: body.length } }) },
        {
          method: "POST",
          path: "/keep",
          handle: ({ body }) => {
            kept.push(body);
            return { status: 200 };
          },
        },
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

  it("leaves a body that a handler keeps alone", async () => {
    const letters = ["a", "b", "c", "d"];
    for (const letter of letters) {
      const body = letter.repeat(90 * KIB);
      await open(`${post("/keep", body.length)}${body}`).answered(/^HTTP\/1.1 200 /);
      const { socket } = open(post("/keep", 90 * KIB));
      socket.write("x".repeat(80 * KIB));
      await until(() => budget.usedBytes >= 80 * KIB);
      socket.destroy();
      await until(() => budget.usedBytes === 0);
    }
    assert.deepEqual(
      kept.map(body => [body.length, body.every(byte => byte === body[0]), String.fromCharCode(body[0] ?? 0)]),
      letters.map(letter => [90 * KIB, true, letter]),
    );
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
