import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, it } from "mocha";
import { type BoundedCall, HttpClient } from "../../runtime/http-client.ts";
import { HttpFailure } from "../../runtime/http-failure.ts";
import { SERVER_PAIR, TEST_CA } from "../support/kubernetes-certificates.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

describe("HttpClient", () => {
  const servers: { readonly server: Server; readonly sockets: Set<number> }[] = [];
  const clients: HttpClient[] = [];

  /** Ports of the client's connections are noted, so that tests can count connections. */
  async function listen(
    handler: Handler,
    server: Server = createServer(),
  ): Promise<{ url: URL; sockets: Set<number> }> {
    const sockets = new Set<number>();
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      sockets.add(request.socket.remotePort ?? 0);
      handler(request, response);
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    servers.push({ server, sockets });
    const scheme = "setSecureContext" in server ? "https" : "http";
    return { url: new URL(`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/path?a=b`), sockets };
  }

  function openClient(maxConnections?: number): HttpClient {
    const client = new HttpClient({ idleMs: 10_000, ...(maxConnections !== undefined && { maxConnections }) });
    clients.push(client);
    return client;
  }

  const makeCall = (url: URL, more: Partial<BoundedCall> = {}): BoundedCall => ({
    method: "GET",
    url,
    timeoutMs: 30_000,
    maxBytes: 1_000_000,
    ...more,
  });

  async function catchFailure(promise: Promise<unknown>): Promise<HttpFailure> {
    const thrown = await promise.then(
      () => assert.fail("it did not fail"),
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof HttpFailure, String(thrown));
    return thrown;
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const { server } of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    }
  });

  for (const size of [10, 100_000])
    it(`sends parts of ${size} bytes one after the other, with their length, and reads the whole answer`, async () => {
      const { url } = await listen((request, response) => {
        const { headers, method, url: path } = request;
        const chunks: Buffer[] = [];
        request.on("data", chunk => chunks.push(chunk));
        request.on("end", () => {
          const head = JSON.stringify({ method, path, length: headers["content-length"], own: headers["x-own"] });
          response.writeHead(418, { "x-head": head }).end(Buffer.concat(chunks));
        });
      });
      const body = [Buffer.alloc(size, "a"), Buffer.alloc(0), Buffer.alloc(size, "b")];
      const answer = await openClient().request(makeCall(url, { method: "POST", body, headers: { "x-own": "1" } }));
      const head = { method: "POST", path: "/path?a=b", length: String(2 * size), own: "1" };
      assert.deepEqual(JSON.parse(String(answer.headers["x-head"])), head);
      assert.equal(answer.status, 418);
      assert.ok(answer.body.equals(Buffer.concat(body)));
    });

  for (const [how, cut] of [
    ["closed", (response: ServerResponse) => response.destroy()],
    ["reset", (response: ServerResponse) => response.socket?.resetAndDestroy()],
  ] as const)
    it(`sends a call once more, over a new connection, where the kept one is ${how} without an answer`, async () => {
      let calls = 0;
      const { url, sockets } = await listen((_request, response) => {
        calls += 1;
        if (calls === 2) cut(response);
        else response.end(String(calls));
      });
      const client = openClient(1);
      await client.request(makeCall(url));
      const second = await client.request(makeCall(url, { method: "POST", body: [Buffer.from("x")] }));
      assert.equal(second.body.toString(), "3");
      assert.equal(sockets.size, 2);
    });

  it("sends a call once only where it was the first of its connection, or the answer had begun", async () => {
    let calls = 0;
    const { url } = await listen((_request, response) => {
      calls += 1;
      if (calls === 1) return void response.socket?.resetAndDestroy();
      if (calls === 2) return void response.end("whole");
      response.writeHead(200, { "content-length": 100 }).write("half");
      setImmediate(() => response.destroy());
    });
    const client = openClient(1);
    assert.equal((await catchFailure(client.request(makeCall(url)))).kind, "brokenOff");
    await client.request(makeCall(url));
    assert.equal((await catchFailure(client.request(makeCall(url)))).kind, "cutShort");
    assert.equal(calls, 3);
  });

  it("gives up after one more try", async () => {
    let calls = 0;
    const { url } = await listen((_request, response) => {
      calls += 1;
      if (calls === 1) response.end();
      else response.destroy();
    });
    const client = openClient(1);
    await client.request(makeCall(url));
    const failure = await catchFailure(client.request(makeCall(url)));
    assert.deepEqual([failure.kind, failure.code, calls], ["brokenOff", "unavailable", 3]);
  });

  it("says that a call may have been run where its kept connection broke, although nothing listens any more then", async () => {
    const server = createServer();
    const { url } = await listen((request, response) => {
      if (request.method === "GET") return void response.end();
      server.close();
      response.socket?.resetAndDestroy();
    }, server);
    const client = openClient(1);
    await client.request(makeCall(url));
    const failure = await catchFailure(client.request(makeCall(url, { method: "POST", body: "x" })));
    assert.equal(failure.kind, "brokenOff");
    assert.match(failure.detail, /ECONNREFUSED/);
    assert.equal((await catchFailure(client.request(makeCall(url)))).kind, "notConnected");
  });

  it("sends a call that wants a connection of its own over a new one, and once", async () => {
    let calls = 0;
    const { url, sockets } = await listen((request, response) => {
      calls += 1;
      if (request.method === "GET") response.end();
      else response.destroy();
    });
    const client = openClient(1);
    for (const isFresh of [false, true, true]) await client.request(makeCall(url, { isFresh }));
    assert.equal(sockets.size, 3);
    const failure = await catchFailure(client.request(makeCall(url, { method: "POST", isFresh: true })));
    assert.deepEqual([failure.kind, calls], ["brokenOff", 4]);
  });

  it("says what, where and what to do where nothing listens", async () => {
    const server = createNetServer();
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise(resolve => server.close(resolve));
    const failure = await catchFailure(openClient().request(makeCall(new URL(`http://127.0.0.1:${port}`))));
    assert.equal(failure.kind, "notConnected");
    assert.equal(
      failure.message,
      `no answer from http://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}: nothing listens there: start it, or correct the address`,
    );
  });

  it("reads no more of an answer than it may, and closes the connection", async () => {
    let written = 0;
    let isClosed = false;
    const { url } = await listen((_request, response) => {
      response.on("close", () => {
        isClosed = true;
      });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) written += 1;
        response.once("drain", more);
      };
      more();
    });
    const failure = await catchFailure(openClient().request(makeCall(url)));
    assert.deepEqual([failure.kind, failure.code], ["tooLarge", "resource_exhausted"]);
    while (!isClosed) await sleep(5);
    // The sockets hold some megabytes at most.
    assert.ok(written < 400, `${written} chunks of 64 KiB were written`);
  });

  it("reads nothing of an answer that says it is longer than it may be", async () => {
    let isCut = false;
    const { url } = await listen((_request, response) => {
      response.on("close", () => {
        isCut = true;
      });
      response.writeHead(200, { "content-length": 1_000_001 }).flushHeaders();
    });
    assert.equal((await catchFailure(openClient().request(makeCall(url)))).kind, "tooLarge");
    while (!isCut) await sleep(5);
  });

  it("ends a call that has no whole answer in time, or that nobody wants any more", async () => {
    let cuts = 0;
    const { url } = await listen((request, response) => {
      if (request.headers["x-half"]) response.writeHead(200).write("half");
      response.on("close", () => {
        cuts += 1;
      });
    });
    const client = openClient();
    for (const headers of [{}, { "x-half": "1" }]) {
      const late = await catchFailure(client.request(makeCall(url, { timeoutMs: 100, headers })));
      assert.match(late.detail, /no answer within 100 ms|broke off/);
      const ending = new AbortController();
      setTimeout(() => ending.abort(), 50);
      await catchFailure(client.request(makeCall(url, { signal: ending.signal, headers })));
    }
    while (cuts < 4) await sleep(5);
    const isGone = AbortSignal.abort();
    assert.equal((await catchFailure(client.request(makeCall(url, { signal: isGone })))).kind, "cancelled");
  });

  it("leaves no listener on a signal that outlives its calls", async () => {
    const { url } = await listen((_request, response) => response.end());
    const ending = new AbortController();
    let listeners = 0;
    const { signal } = ending;
    const counted = new Proxy(signal, {
      get: (target, name) => {
        if (name === "addEventListener") listeners += 1;
        if (name === "removeEventListener") listeners -= 1;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const client = openClient();
    for (let i = 0; i < 3; i++) await client.request(makeCall(url, { signal: counted }));
    assert.equal(listeners, 0);
  });

  it("opens as many connections as it may, and has further calls wait", async () => {
    let running = 0;
    let most = 0;
    const { url } = await listen((_request, response) => {
      running += 1;
      most = Math.max(most, running);
      setTimeout(() => {
        running -= 1;
        response.end();
      }, 5);
    });
    const client = openClient(3);
    await Promise.all(Array.from({ length: 20 }, () => client.request(makeCall(url))));
    assert.equal(most, 3);
  });

  it("follows no redirect", async () => {
    const { url } = await listen((_request, response) => response.writeHead(302, { location: "/other" }).end());
    assert.equal((await openClient().request(makeCall(url))).status, 302);
  });

  it("refuses credentials in the address", async () => {
    const call = openClient().request(makeCall(new URL("http://me:hunter2@127.0.0.1:1/")));
    await assert.rejects(
      call,
      (error: Error) => /has credentials/.test(error.message) && !/hunter2/.test(error.message),
    );
  });

  it("opens new connections for other TLS material, and lets calls end that run", async () => {
    const waiting: (() => void)[] = [];
    const { url, sockets } = await listen(
      (request, response) => {
        if (request.headers["x-wait"]) waiting.push(() => response.end("late"));
        else response.end("ok");
      },
      createTlsServer({ key: SERVER_PAIR.key, cert: SERVER_PAIR.certificate }),
    );
    const tls = { ca: TEST_CA, certificate: null, key: null, serverName: null, verify: true };
    const client = openClient();
    const running = client.request(makeCall(url, { tls, headers: { "x-wait": "1" } }));
    while (waiting.length === 0) await sleep(5);
    assert.equal((await client.request(makeCall(url, { tls: { ...tls, ca: `${TEST_CA}\n` } }))).body.toString(), "ok");
    assert.equal(sockets.size, 2);
    waiting[0]?.();
    assert.equal((await running).body.toString(), "late");
    const failure = await catchFailure(client.request(makeCall(url, { tls: { ...tls, ca: null } })));
    assert.match(failure.detail, /certificate/);
    assert.equal(failure.kind, "notConnected");
  });

  it("fails what runs when it is closed, and what comes after", async () => {
    let calls = 0;
    const { url } = await listen(() => {
      calls += 1;
    });
    const client = openClient();
    const running = catchFailure(client.request(makeCall(url)));
    while (calls === 0) await sleep(5);
    client.close();
    assert.match((await running).detail, /closed/);
    assert.equal((await catchFailure(client.request(makeCall(url)))).kind, "cancelled");
  });
});
