import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { after, before, beforeEach, describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { type BodyOutcome, BodyReader, OpenBodies } from "../../runtime/http/body-reader.ts";
import { BufferPool } from "../../runtime/http/buffer-pool.ts";
import { type HttpServer, type Route, startHttpServer } from "../../runtime/http-server.ts";
import { createLogger } from "../../runtime/logger.ts";
import { until } from "../support/until.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("BodyReader", () => {
  /** Node 20 can't give memory back before garbage is collected. */
  const isFreed = (piece: Buffer): boolean => piece.length === 0 || !("transfer" in ArrayBuffer.prototype);

  it("gives the memory of pieces back once they are copied, and of those that it refuses, but not of a piece of shared memory", () => {
    const body = new PassThrough();
    const held = new ByteBudget(100 * KIB).hold();
    const bodies = new OpenBodies(new BufferPool(100 * KIB));
    const outcomes: BodyOutcome[] = [];
    new BodyReader(body, { maxBytes: 200 * KIB, held, bodies }, outcome => outcomes.push(outcome));
    const shared = Buffer.alloc(16 * KIB);
    const pieces = [60, 60, 60].map(kib => Buffer.allocUnsafeSlow(kib * KIB));
    body.write(shared.subarray(0, 8 * KIB));
    for (const piece of pieces) body.write(piece);
    assert.deepEqual(outcomes, ["full"]);
    assert.deepEqual([shared.length, ...pieces.map(isFreed)], [16 * KIB, true, true, true]);
  });
});

describe("OpenBodies", () => {
  /** Longer than a test takes: it looks by itself. */
  const NEVER_MS = 1_000_000;
  let bodies: OpenBodies;
  let budget: ByteBudget;

  beforeEach(() => {
    budget = new ByteBudget(1000 * KIB);
    bodies = new OpenBodies(new BufferPool(MIB), NEVER_MS);
  });

  function begin() {
    const body = new PassThrough();
    const outcomes: BodyOutcome[] = [];
    const reader = new BodyReader(body, { maxBytes: MIB, held: budget.hold(), bodies }, outcome =>
      outcomes.push(outcome),
    );
    return {
      outcomes,
      send: (kib: number) => body.write(Buffer.alloc(kib * KIB)),
      look: (count: number) => {
        for (let i = 0; i < count; i += 1) reader.checkPace();
      },
    };
  }

  it("let a body go on that comes by 16 KiB a second, and one that stops for ten seconds", () => {
    const [steady, stopped] = [begin(), begin()];
    steady.send(1);
    steady.look(1);
    for (let second = 0; second < 20; second += 1) {
      steady.send(16);
      steady.look(1);
    }
    for (let times = 0; times < 3; times += 1) {
      stopped.send(200);
      stopped.look(11);
    }
    assert.deepEqual([steady.outcomes, stopped.outcomes], [[], []]);
    assert.equal(budget.usedBytes, 921 * KIB);
  });

  it("give a body up that stops for longer, however fast it came before, and one that comes slower for long", () => {
    const [fast, slow] = [begin(), begin()];
    fast.look(1);
    fast.send(900);
    fast.look(11);
    assert.deepEqual(fast.outcomes, []);
    fast.look(1);
    assert.deepEqual(fast.outcomes, ["too slow"]);
    slow.look(1);
    for (let second = 0; second < 20; second += 1) {
      slow.send(8);
      slow.look(1);
    }
    assert.deepEqual(slow.outcomes, []);
    slow.send(8);
    slow.look(1);
    assert.deepEqual(slow.outcomes, ["too slow"]);
    assert.equal(budget.usedBytes, 0);
  });

  it("let one give way that is behind its pace, though it is smaller than one that comes fast", () => {
    const [fast, stalled, small] = [begin(), begin(), begin()];
    stalled.send(300);
    stalled.look(2);
    fast.look(1);
    fast.send(690);
    fast.look(1);
    small.send(20);
    assert.deepEqual([fast.outcomes, stalled.outcomes, small.outcomes], [[], ["full"], []]);
  });
});

describe("startHttpServer(), where memory is short", () => {
  const logger = createLogger("test", "silent");
  const echo: Route = {
    method: "POST",
    path: "/echo",
    handle: ({ body }) => ({ status: 200, body: { bytes: body.length } }),
  };
  let server: HttpServer;
  let budget: ByteBudget;
  /** Let requests to /wait be answered. */
  const waiting: (() => void)[] = [];
  const sockets: Socket[] = [];
  const kept: Buffer[] = [];

  before(async () => {
    budget = new ByteBudget(100 * KIB);
    server = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger, budget, maxConnections: 20 },
      maxBodyBytes: 200 * KIB,
      routes: [
        echo,
        {
          method: "POST",
          path: "/keep",
          handle: ({ body }) => {
            kept.push(body);
            return { status: 200 };
          },
        },
        { method: "GET", path: "/small", handle: () => ({ status: 200, body: "small" }) },
        {
          method: "GET",
          path: "/wait",
          handle: async () => {
            await new Promise<void>(resolve => waiting.push(resolve));
            return { status: 200, body: "waited" };
          },
        },
        {
          method: "POST",
          path: "/own",
          handle: () => ({ status: 200 }),
          answerUnread: ({ path }) => ({ status: 503, body: { path } }),
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
  function open(
    text: string,
    port = server.port,
  ): { readonly socket: Socket; readonly answered: (start: RegExp) => Promise<string> } {
    const socket = connect(port, "127.0.0.1").setEncoding("latin1");
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

  it("throws away the rest of a body that it did not read, gives its memory back, and goes on with the connection", async () => {
    const { transfer } = ArrayBuffer.prototype as { transfer?: (bytes?: number) => ArrayBuffer };
    let freedBytes = 0;
    if (transfer)
      Object.assign(ArrayBuffer.prototype, {
        transfer(this: ArrayBuffer, bytes?: number) {
          freedBytes += this.byteLength;
          return transfer.call(this, bytes);
        },
      });
    try {
      const { socket, answered } = open(post("/echo", 150 * KIB));
      await answered(/^HTTP\/1.1 503 .*"code"/s);
      socket.write(Buffer.alloc(150 * KIB));
      socket.write("GET /small HTTP/1.1\r\nHost: x\r\n\r\n");
      await answered(/^HTTP\/1.1 503 .*HTTP\/1.1 200 /s);
      if (transfer) assert.ok(freedBytes >= 100 * KIB, `${freedBytes} bytes`);
    } finally {
      if (transfer) Object.assign(ArrayBuffer.prototype, { transfer });
    }
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
    await open(post("/echo", 50 * KIB)).answered(/^HTTP\/1.1 503 /);
    await open("GET /small HTTP/1.1\r\nHost: x\r\n\r\n").answered(/small/);
    for (const { socket } of idle) socket.destroy();
    await until(() => budget.usedBytes === 0);
    await open(`${post("/echo", 2)}{}`).answered(/"bytes":2/);
  });

  it("lets the largest unfinished body give way to a smaller one", async () => {
    const [large, small] = [open(post("/echo", 70 * KIB)), open(post("/echo", 40 * KIB))];
    large.socket.write(Buffer.alloc(60 * KIB));
    small.socket.write(Buffer.alloc(30 * KIB));
    await until(() => budget.usedBytes === 90 * KIB);
    await open(`${post("/echo", 12 * KIB)}${"x".repeat(12 * KIB)}`).answered(/"bytes":12288/);
    await large.answered(/^HTTP\/1.1 503 .*resource_exh/is);
    small.socket.write(Buffer.alloc(10 * KIB));
    await small.answered(/"bytes":40960/);
  });

  it("gives up bodies that have stopped, and answers others then", async () => {
    const bodies = new ByteBudget(100 * KIB);
    const other = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger, budget: bodies, routes: [echo], paceMs: 100 },
    });
    try {
      const stalled = Array.from({ length: 4 }, () => open(post("/echo", 25 * KIB), other.port));
      for (const { socket } of stalled) socket.write(Buffer.alloc(24 * KIB));
      await until(() => bodies.usedBytes === 96 * KIB);
      await open(post("/echo", 30 * KIB), other.port).answered(/^HTTP\/1.1 503 /);
      for (const { answered } of stalled) await answered(/^HTTP\/1.1 408 .*connection: close.*too slowly/is);
      await open(`${post("/echo", 30 * KIB)}${"x".repeat(30 * KIB)}`, other.port).answered(/"bytes":30720/);
    } finally {
      await other.close(0);
    }
  });

  it("has room for further requests of a connection in half of the memory; one that has none is refused after the answers before it, and the last", async () => {
    const get = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
    const first = open(get.repeat(2));
    await until(() => waiting.length === 2);
    assert.equal(budget.usedBytes, 32 * KIB);
    const second = open(get.repeat(4));
    await until(() => waiting.length === 3);
    await open("GET /small HTTP/1.1\r\nHost: x\r\n\r\n").answered(/small/);
    assert.deepEqual([first.socket.closed, second.socket.closed], [false, false]);
    for (const answer of waiting.splice(0)) answer();
    await until(() => second.socket.closed);
    const answers = await second.answered(/"code"/);
    assert.match(
      answers,
      /^HTTP\/1.1 200 .*waited.*HTTP\/1.1 503 .*retry-after: 1\r\n.*connection: close.*resource_exhausted/is,
    );
    assert.equal(answers.match(/HTTP\/1.1/g)?.length, 2);
    assert.equal((await first.answered(/waited.*waited/s)).match(/HTTP\/1.1 200/g)?.length, 2);
    assert.equal(waiting.length, 0);
  });

  it("closes a connection at once that has more requests than may wait, though its first has no answer", async () => {
    const few = open("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n".repeat(32));
    await until(() => waiting.length === 2);
    const many = open("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n".repeat(33));
    await until(() => many.socket.closed);
    assert.equal(few.socket.closed, false);
    for (const answer of waiting.splice(0)) answer();
    await until(() => few.socket.closed);
    await few.answered(/waited.*waited.*503 Service/s);
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
    const answers = new ByteBudget(64 * MIB);
    const other = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger, budget: answers },
      routes: [{ method: "GET", path: "/large", handle: () => ({ status: 200, body: Buffer.alloc(40 * MIB) }) }],
    });
    try {
      const get = "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
      const { socket } = open(get, other.port);
      socket.pause();
      await until(() => answers.usedBytes === 40 * MIB);
      await open(get, other.port).answered(/^HTTP\/1.1 503 /);
      socket.destroy();
      await until(() => answers.usedBytes === 0);
    } finally {
      await other.close(0);
    }
  });

  it("closes connections above the limit", async () => {
    const open21 = Array.from({ length: 21 }, () => open(""));
    await until(() => open21.some(({ socket }) => socket.closed));
    assert.equal(open21.filter(({ socket }) => !socket.closed).length, 20);
  });
});
