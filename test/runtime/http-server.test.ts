import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, before, describe, it } from "mocha";
import { pino } from "pino";
import { VariscaleError } from "../../domain/errors.ts";
import { MOST_PIPELINED } from "../../runtime/answering-server.ts";
import { type HttpServer, startHttpServer } from "../../runtime/http-server.ts";
import { listen } from "../../runtime/listen.ts";
import { createLogger } from "../../runtime/logger.ts";
import { until } from "../support/until.ts";

const logger = createLogger("test", "silent");

describe("startHttpServer()", () => {
  let server: HttpServer;
  let waiting: (() => void) | undefined;
  let aborted: (() => void) | undefined;
  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`;

  before(async () => {
    server = await startHttpServer({
      host: "127.0.0.1",
      port: 0,
      logger,
      maxBodyBytes: 100,
      routes: [
        {
          method: "GET",
          path: "/items/:id",
          handle: request => ({ status: 200, body: { id: request.params["id"], q: request.query.get("q") } }),
        },
        {
          method: "POST",
          path: "/echo",
          handle: request => ({ status: 200, headers: { "content-type": "x/y" }, body: request.body }),
        },
        {
          method: "GET",
          path: "/fail/:code",
          handle: request => {
            if (request.params["code"] === "plain") throw new TypeError("boom");
            throw new VariscaleError("resource_exhausted", "full");
          },
        },
        {
          method: "GET",
          path: "/wait",
          handle: request => {
            waiting?.();
            return new Promise(() => request.signal.addEventListener("abort", () => aborted?.()));
          },
        },
      ],
    });
  });

  after(() => server.close(100));

  it("matches parameters and gives them decoded", async () => {
    const response = await fetch(url("/items/a%20b?q=1"));
    assert.deepEqual(await response.json(), { id: "a b", q: "1" });
  });

  it("answers 404 to an unknown path, a parameter that can't be decoded and an empty one", async () => {
    for (const path of ["/nothing", "/items/%zz", "/items/"]) assert.equal((await fetch(url(path))).status, 404, path);
  });

  it("answers 405 with the methods that are there", async () => {
    const response = await fetch(url("/echo"));
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "POST");
  });

  it("gives bytes back as they came", async () => {
    const response = await fetch(url("/echo"), { method: "POST", body: new Uint8Array([0, 255, 1]) });
    assert.equal(response.headers.get("content-type"), "x/y");
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), new Uint8Array([0, 255, 1]));
  });

  it("refuses a body over the limit, with and without a declared length", async () => {
    assert.equal((await fetch(url("/echo"), { method: "POST", body: "x".repeat(101) })).status, 413);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = httpRequest(
        url("/echo"),
        { method: "POST", headers: { "transfer-encoding": "chunked" } },
        response => resolve(response.statusCode),
      );
      request.on("error", reject);
      request.write("x".repeat(60));
      request.write("x".repeat(60));
      request.end();
    });
    assert.equal(status, 413);
  });

  it("maps an error's code to the status, and what is no VariscaleError to 500", async () => {
    const full = await fetch(url("/fail/full"));
    assert.equal(full.status, 503);
    assert.equal(full.headers.get("retry-after"), "1");
    assert.deepEqual(await full.json(), { error: "full", code: "resource_exhausted" });
    assert.equal((await fetch(url("/fail/plain"))).status, 500);
  });

  it("aborts the signal when the client goes away", async () => {
    const isWaiting = new Promise<void>(resolve => {
      waiting = resolve;
    });
    const gone = new Promise<void>(resolve => {
      aborted = resolve;
    });
    const controller = new AbortController();
    const pending = fetch(url("/wait"), { signal: controller.signal });
    const refused = assert.rejects(pending);
    await isWaiting;
    controller.abort();
    await refused;
    await gone;
  });

  it("answers 400 to bytes that are not HTTP", async () => {
    const text = await new Promise<string>(resolve => {
      const socket = connect(server.port, "127.0.0.1", () => socket.write("nonsense\r\n\r\n"));
      socket.on("data", data => resolve(data.toString()));
    });
    assert.match(text, /^HTTP\/1\.1 400 /);
  });

  it("answers many requests that follow each other without waiting, and closes a connection that has too many, not the others", async () => {
    const askAtOnce = (count: number): Promise<number> =>
      new Promise(resolve => {
        let text = "";
        const count200 = (): number => text.split("HTTP/1.1 200 ").length - 1;
        const socket = connect(server.port, "127.0.0.1").setEncoding("latin1");
        socket.write("GET /items/a HTTP/1.1\r\nHost: x\r\n\r\n".repeat(count));
        socket.on("data", chunk => {
          text += chunk;
          if (count200() === count) socket.destroy();
        });
        socket.on("error", () => {});
        socket.once("close", () => resolve(count200()));
      });
    assert.equal(await askAtOnce(MOST_PIPELINED), MOST_PIPELINED);
    const [few, tooMany] = await Promise.all([askAtOnce(10), askAtOnce(MOST_PIPELINED + 1)]);
    assert.equal(few, 10);
    assert.ok(tooMany <= MOST_PIPELINED, `${tooMany} answers`);
    assert.equal((await fetch(url("/items/a"))).status, 200);
  });

  it("closes once running requests have their answer, kept connections or not", async () => {
    let finish = (): void => {};
    let started = (): void => {};
    const running = new Promise<void>(resolve => {
      started = resolve;
    });
    const other = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger },
      routes: [
        {
          method: "GET",
          path: "/slow",
          handle: () => {
            started();
            return new Promise(resolve => {
              finish = () => resolve({ status: 200, body: "done" });
            });
          },
        },
      ],
    });
    const response = fetch(`http://127.0.0.1:${other.port}/slow`);
    await running;
    // Longer than this test may take: the connection must not be cut, it must end by itself.
    const closed = other.close(600_000);
    finish();
    assert.equal(await (await response).text(), "done");
    await closed;
  });

  it("sends a large answer to its end when it closes, however slowly it is read", async () => {
    const body = Buffer.alloc(32 * 1024 * 1024, 7);
    const other = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger },
      routes: [{ method: "GET", path: "/large", handle: () => ({ status: 200, body }) }],
    });
    const socket = connect(other.port, "127.0.0.1").setEncoding("latin1");
    socket.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    const first = await new Promise<string>(resolve => socket.once("data", (text: string) => resolve(text)));
    socket.pause();
    let length = first.length - first.indexOf("\r\n\r\n") - 4;
    const closed = other.close(600_000);
    await new Promise(resolve => setTimeout(resolve, 50));
    socket.on("data", (text: string) => {
      length += text.length;
    });
    socket.resume();
    await closed;
    await new Promise(resolve => (socket.closed ? resolve(null) : socket.once("close", resolve)));
    assert.equal(length, body.length);
  });
});

describe("listen()", () => {
  const logged: string[] = [];
  const logger = pino({}, { write: line => void logged.push(line) });

  it("names the option that chooses another port where one is taken", async () => {
    const first = createServer();
    await listen(first, { host: "127.0.0.1", port: 0, logger });
    const { port } = first.address() as AddressInfo;
    const second = { host: "127.0.0.1", port, logger };
    const message = (other: string) => new RegExp(`cannot listen on 127.0.0.1:${port}: .*EADDRINUSE.* ${other}\\.$`);
    await assert.rejects(listen(createServer(), { ...second, portOption: "--http-port" }), {
      code: "failed_precondition",
      message: message("choose another one by --http-port"),
    });
    await assert.rejects(listen(createServer(), second), { message: message("choose another one") });
    first.close();
  });

  it("logs what goes wrong with a port later, and then the number of what else does, once in a while, and goes on", async () => {
    const server = createServer();
    await listen(server, { host: "127.0.0.1", port: 0, logger, logEveryMs: 20 });
    const findCounts = () => logged.filter(line => line.includes("accept EMFILE")).map(line => JSON.parse(line).count);
    try {
      for (let i = 0; i < 1000; i++) server.emit("error", new Error("accept EMFILE"));
      assert.deepEqual(findCounts(), [1]);
      await until(() => findCounts().length > 1);
      assert.deepEqual(findCounts(), [1, 999]);
      assert.equal(server.listening, true);
    } finally {
      server.close();
    }
  });
});
