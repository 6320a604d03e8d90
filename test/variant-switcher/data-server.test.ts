import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { createLogger } from "../../runtime/logger.ts";
import { DataServer, type DataServerOptions } from "../../variant-switcher/data-server.ts";
import { until } from "../support/until.ts";

const MAX_BYTES = 1_000_000;

describe("DataServer", () => {
  let server: DataServer;
  let budget: ByteBudget;
  /** Lets the requests that were read be answered, in the order in which they came. */
  let waiting: (() => void)[] = [];
  let clients: Socket[] = [];

  const start = async (more: Partial<DataServerOptions> = {}): Promise<void> => {
    const echo = async ({ body }: { readonly body: Buffer }) => {
      const sum = body.reduce((total, byte) => total + byte, 0);
      await new Promise<void>(resolve => waiting.push(resolve));
      return { status: 200, json: [body.length, sum] };
    };
    server = await DataServer.start({
      host: "127.0.0.1",
      port: 0,
      routes: {
        get: () => null,
        post: path => ({ handle: echo, maxBodyBytes: path === "/small" ? 10 : MAX_BYTES }),
        refused: () => undefined,
      },
      logger: createLogger("test", "silent"),
      maxBodyBytes: MAX_BYTES,
      budget,
      ...more,
    });
  };
  beforeEach(() => {
    [waiting, clients] = [[], []];
    budget = new ByteBudget(MAX_BYTES);
  });
  afterEach(async () => {
    for (const client of clients) client.destroy();
    await server.close(1000);
  });

  /** Sends a body of so many bytes in two pieces; gives the status. */
  const send = (bytes: number, headers: Record<string, string | number>, path = "/"): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const post = request({ host: "127.0.0.1", port: server.port, path, method: "POST", headers }, response => {
        response.resume().on("end", () => resolve(response.statusCode));
      });
      post.on("error", reject);
      post.write(Buffer.alloc(Math.ceil(bytes / 2)));
      post.end(Buffer.alloc(Math.floor(bytes / 2)));
    });
  const sendChunked = (bytes: number) => send(bytes, { "transfer-encoding": "chunked" });
  const sendDeclared = (bytes: number) => send(bytes, { "content-length": bytes });
  const read = (count: number): Promise<void> => until(() => waiting.length >= count);
  /** Begins a request that announces so many bytes, and sends what is given. */
  const begin = (bytes: number, sent: Buffer | string = "", path = "/"): Socket => {
    const client = connect(server.port, "127.0.0.1");
    client.on("error", () => undefined);
    clients.push(client);
    client.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
    client.write(sent);
    return client;
  };
  const readText = async (client: Socket): Promise<string> => {
    let text = "";
    client.on("data", chunk => {
      text += chunk.toString("latin1");
    });
    await once(client, "close");
    return text;
  };

  for (const [name, sender] of [
    ["of undeclared length", sendChunked],
    ["of declared length", sendDeclared],
  ] as const)
    it(`reads bodies ${name} at the same time as long as there is room for what they have`, async () => {
      await start();
      const first = sender(400_000);
      await read(1);
      const second = sender(400_000);
      await read(2);
      assert.equal(await sender(400_000), 503);
      for (const answer of waiting.splice(0)) answer();
      assert.deepEqual(await Promise.all([first, second]), [200, 200]);
      const alone = sender(MAX_BYTES);
      await read(1);
      waiting.shift()?.();
      assert.equal(await alone, 200);
      assert.equal(budget.usedBytes, 0);
    });

  it("answers 413 to a body of undeclared length that grows too large, and has room for others then", async () => {
    await start();
    assert.equal(await sendChunked(MAX_BYTES + 2), 413);
    const first = sendChunked(700_000);
    await read(1);
    assert.equal(await sendChunked(400_000), 503);
    waiting.shift()?.();
    assert.equal(await first, 200);
  });

  it("answers 413 before it reads a body that is declared to be larger than its route takes", async () => {
    await start();
    const client = begin(11, "", "/small");
    assert.match(await readText(client), /^HTTP\/1\.1 413 [\s\S]*must not have more than 10 bytes/);
    assert.equal(budget.usedBytes, 0);
  });

  it("takes no room for what clients announce and do not send", async () => {
    await start();
    for (let i = 0; i < 20; i++) begin(MAX_BYTES, "x");
    await until(() => budget.usedBytes === 20);
    const other = sendDeclared(900_000);
    await read(1);
    assert.equal(budget.usedBytes, 900_020);
    waiting.shift()?.();
    assert.equal(await other, 200);
  });

  it("gives up bodies that do not move or come slower than 16 KiB a second, and gives their bytes back", async () => {
    budget = new ByteBudget(3 * MAX_BYTES);
    await start({ paceMs: 40 });
    const still = begin(MAX_BYTES, Buffer.alloc(200_000));
    const slow = begin(MAX_BYTES, Buffer.alloc(200_000));
    const trickle = setInterval(() => slow.write("x"), 5);
    const fast = begin(MAX_BYTES);
    let pieces = 50;
    const push = setInterval(() => {
      fast.write(Buffer.alloc(MAX_BYTES / 50));
      if (--pieces === 0) clearInterval(push);
    }, 10);
    const texts = await Promise.all([readText(still), readText(slow)]);
    clearInterval(trickle);
    for (const text of texts) assert.match(text, /^HTTP\/1\.1 408 [\s\S]*Connection: close[\s\S]*too slowly/i);
    await read(1);
    assert.equal(budget.usedBytes, MAX_BYTES);
    waiting.shift()?.();
    await until(() => budget.usedBytes === 0);
  });

  it("holds the same body whatever the pieces in which it comes", async () => {
    await start();
    for (const piece of [1, 7, 4096, 5000, 65_536, 70_001]) {
      const bytes = piece === 1 ? 9000 : 300_000;
      const body = Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251));
      const client = begin(bytes);
      for (let at = 0; at < bytes; at += piece) {
        client.write(body.subarray(at, at + piece));
        if (piece === 1 && at % 100 === 0) await new Promise(setImmediate);
      }
      await read(1);
      const [answer] = await Promise.all([once(client, "data"), waiting.shift()?.()]);
      const sum = body.reduce((total, byte) => total + byte, 0);
      assert.match(String(answer[0]), new RegExp(`\\[${bytes},${sum}\\]$`));
      client.destroy();
    }
  });

  it("closes connections above its limit", async () => {
    await start({ limits: { maxConnections: 2, unreadAnswerMs: 30_000 } });
    for (let i = 0; i < 2; i++) begin(10);
    const above = connect(server.port, "127.0.0.1");
    clients.push(above);
    await once(above, "close");
  });
});

describe("DataServer.close()", () => {
  const BYTES = 64 * 1024 * 1024;
  let server: DataServer;
  let client: Socket;

  beforeEach(async () => {
    const large = async () => ({ status: 200, parts: [Buffer.alloc(BYTES)] });
    server = await DataServer.start({
      host: "127.0.0.1",
      port: 0,
      routes: {
        get: path => (path === "/small" ? { status: 200, parts: ["small"] } : null),
        post: () => ({ handle: large, maxBodyBytes: MAX_BYTES }),
        refused: () => undefined,
      },
      logger: createLogger("test", "silent"),
      maxBodyBytes: MAX_BYTES,
      budget: new ByteBudget(MAX_BYTES),
    });
    client = connect(server.port, "127.0.0.1");
  });
  afterEach(async () => {
    client.destroy();
    await server.close(0);
  });

  /** Asks for a large answer and reads the beginning of it. */
  const begin = async (body: string): Promise<number> => {
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const [first] = (await once(client, "data")) as [Buffer];
    client.pause();
    return first.length;
  };

  for (const body of ["", "x"])
    it(`lets a large answer end that was handed over, and then ends the connection: body "${body}"`, async () => {
      let bytes = await begin(body);
      const closed = server.close(60_000);
      client.on("data", chunk => {
        bytes += chunk.length;
      });
      client.resume();
      await Promise.all([closed, once(client, "close")]);
      assert.ok(bytes > BYTES, `${bytes} of ${BYTES} bytes`);
    });

  it("cuts it where nobody reads it in time", async () => {
    await begin("x");
    const gone = once(client, "close");
    await server.close(50);
    client.resume();
    await gone;
  });

  it("ends connections on which nothing is asked for", async () => {
    client.write("GET /small HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(client, "data");
    await Promise.all([server.close(60_000), once(client, "close")]);
  });
});
