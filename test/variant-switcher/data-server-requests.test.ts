import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { MOST_PIPELINED } from "../../runtime/answering-server.ts";
import { ByteBudget } from "../../runtime/byte-budget.ts";
import { createLogger } from "../../runtime/logger.ts";
import type { DataResponse } from "../../variant-switcher/data-response.ts";
import type { DataRequest } from "../../variant-switcher/data-routes.ts";
import { DataServer } from "../../variant-switcher/data-server.ts";
import { RequestTooLarge } from "../../variant-switcher/request-too-large.ts";
import { until } from "../support/until.ts";

const MAX_BYTES = 100_000;
const MAX_IN_FLIGHT = 150_000;

/** A request as text; `fields` with their line ends. */
function post(body: string, fields = "", path = "/echo"): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`;
}

describe("DataServer, asked over sockets", () => {
  let server: DataServer;
  let client: Socket;
  let received = "";
  let handled: DataRequest["headers"][] = [];
  /** Requests to /held that wait for their answer. */
  let held: { readonly request: DataRequest; readonly answer: (response: DataResponse) => void }[] = [];
  let gone = 0;
  let much = 0;
  let refused: string[] = [];
  let budget = new ByteBudget(MAX_IN_FLIGHT);

  const routes: Record<string, (request: DataRequest) => Promise<DataResponse>> = {
    "/echo": async ({ headers, body }) => {
      handled.push(headers);
      return { status: 200, headers: { "x-bytes": body.length }, parts: [`<${body.toString()}>`] };
    },
    "/json": async () => ({ status: 201, json: { said: "größer" } }),
    "/parts": async () => ({ status: 200, parts: ["é", Buffer.from([0, 255]), new Uint8Array([7])] }),
    "/empty": async () => ({ status: 200 }),
    "/fails": async () => {
      throw new VariscaleError("unavailable", "not now");
    },
    "/much": async () => {
      much++;
      return { status: 200, parts: [Buffer.alloc(1024 * 1024)] };
    },
    "/large": async () => {
      throw new RequestTooLarge("too large");
    },
    "/more": async ({ charge }) => {
      const refusal = charge(MAX_IN_FLIGHT);
      if (refusal) throw refusal;
      return { status: 200 };
    },
    "/held": request => {
      request.onGone(() => gone++);
      return new Promise(answer => held.push({ request, answer }));
    },
  };

  beforeEach(async () => {
    budget = new ByteBudget(MAX_IN_FLIGHT);
    [received, handled, held, gone, much, refused] = ["", [], [], 0, 0, []];
    server = await DataServer.start({
      host: "127.0.0.1",
      port: 0,
      routes: {
        get: path => (path === "/small" ? { status: 200, parts: ["small"] } : null),
        post: path => {
          const handle = routes[path];
          return handle ? { handle, maxBodyBytes: MAX_BYTES } : null;
        },
        refused: path => refused.push(path),
      },
      logger: createLogger("test", "silent"),
      maxBodyBytes: MAX_BYTES,
      budget,
    });
    client = open();
  });
  afterEach(async () => {
    client.destroy();
    await server.close(0);
  });

  function open(): Socket {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    return socket;
  }

  /** Whether no request has any memory. */
  const isFree = (): boolean => budget.usedBytes === 0;
  const answers = (): string[] => [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status ?? "");
  const echoes = (): string[] => [...received.matchAll(/<([^>]*)>/g)].map(([, body]) => body ?? "");

  it("answers requests whose heads are the same, and others, one after the other", async () => {
    const bodies = ["one", "two", "three", "three", "much ".repeat(15_000)];
    for (const [i, body] of bodies.entries()) {
      client.write(post(body, i === 3 ? "X-Request-Id: r3\r\n" : ""));
      await until(() => echoes().length === i + 1);
    }
    assert.deepEqual(echoes(), bodies);
    assert.deepEqual(
      handled.map(headers => headers["x-request-id"]),
      [undefined, undefined, undefined, "r3", undefined],
    );
  });

  it("answers a body that comes in pieces", async () => {
    const whole = post("abcdefgh");
    for (const piece of [whole.slice(0, -6), whole.slice(-6, -3), whole.slice(-3)]) {
      client.write(piece);
      await sleep(5);
    }
    await until(() => answers().length === 1);
    assert.deepEqual(echoes(), ["abcdefgh"]);
  });

  it("keeps apart what several connections send in pieces at the same time", async () => {
    const clients = Array.from("abcde", letter => ({ socket: open(), body: letter.repeat(25_000), got: "" }));
    for (const each of clients) each.socket.on("data", chunk => (each.got += chunk.toString()));
    for (let round = 1; round <= 3; round++) {
      const wholes = clients.map(({ body }) => post(body));
      for (let from = 0; from < 25_100; from += 5000) {
        for (const [i, { socket }] of clients.entries()) socket.write(wholes[i]?.slice(from, from + 5000) ?? "");
        await sleep(1);
      }
      await until(() => clients.every(({ body, got }) => got.split(`<${body}>`).length === round + 1));
    }
    for (const { socket } of clients) socket.destroy();
  });

  it("keeps what came early as it is while others are read", async () => {
    client.write(post("first"));
    await until(() => echoes().length === 1);
    const body = "early ".repeat(2000);
    client.write(post("h", "", "/held") + post(body));
    await until(() => held.length === 1);
    const other = open();
    for (let i = 0; i < 2; i++) {
      other.write(post("z".repeat(30_000)));
      await until(() => echoes().length === i + 2);
    }
    held[0]?.answer({ status: 202 });
    await until(() => echoes().length === 4);
    assert.equal(echoes()[3], body);
    other.destroy();
  });

  it("answers requests that come at once in their order, whatever their kind", async () => {
    const chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nc1\r\n0\r\n\r\n";
    const small = "GET /small HTTP/1.1\r\nHost: x\r\n\r\n";
    client.write(post("a") + post("b") + post("g", "", "/held") + post("h", "", "/held"));
    client.write(post("c") + small + chunked + post("d"));
    await until(() => held.length === 2);
    await until(() => echoes().length === 2);
    for (const { answer } of held.reverse()) answer({ status: 202 });
    await until(() => answers().length === 8);
    assert.deepEqual(echoes(), ["a", "b", "c", "c1", "d"]);
    assert.deepEqual(answers(), ["200", "200", "202", "202", "200", "200", "200", "200"]);
  });

  it("answers a head that comes in two pieces, and what follows it", async () => {
    const whole = post("ab");
    client.write(whole.slice(0, 20));
    await sleep(5);
    client.write(whole.slice(20));
    await until(() => answers().length === 1);
    client.write(post("cd"));
    await until(() => answers().length === 2);
    assert.deepEqual(echoes(), ["ab", "cd"]);
  });

  it("answers errors of handlers, and goes on", async () => {
    client.write(post("a", "", "/fails") + post("b"));
    await until(() => answers().length === 2);
    assert.deepEqual(answers(), ["503", "200"]);
    assert.match(received, /retry-after: 1/);
    client.write(post("c"));
    await until(() => answers().length === 3);
    assert.deepEqual(echoes(), ["b", "c"]);
  });

  it("ends the connection after an answer of 413", async () => {
    client.write(post("a", "", "/large") + post("b"));
    await once(client, "close");
    assert.deepEqual(answers(), ["413"]);
    assert.match(received, /\r\nconnection: close\r\n/i);
  });

  it("answers 413 to a body over the limit, and 404 and 405", async () => {
    client.write(post("a", "", "/nothing"));
    await until(() => answers().length === 1);
    const [other, another] = [open(), open()];
    other.write(post("a", "", "/small"));
    await until(() => answers().length === 2);
    another.write(post("x".repeat(MAX_BYTES + 1)));
    await until(() => answers().length === 3);
    assert.deepEqual(answers(), ["404", "405", "413"]);
    other.destroy();
    another.destroy();
  });

  it("refuses what there is no room for, tells of it once, and has room again later", async () => {
    client.write(post("x".repeat(MAX_BYTES), "", "/held"));
    await until(() => held.length === 1);
    const other = open();
    other.write(post("x".repeat(MAX_BYTES)));
    await until(() => answers().length === 1);
    const another = open();
    another.write(post("a", "", "/more"));
    await until(() => answers().length === 2);
    another.destroy();
    held[0]?.answer({ status: 202 });
    await until(() => answers().length === 3);
    client.write(post("x".repeat(MAX_BYTES)));
    await until(() => answers().length === 4);
    assert.deepEqual(answers(), ["503", "503", "202", "200"]);
    assert.deepEqual(refused, ["/echo", "/more"]);
    other.destroy();
  });

  it("keeps no more unread answers of one client than there is room for, and has room again when they are read", async () => {
    client.pause();
    client.write(post("x", "", "/much").repeat(MOST_PIPELINED));
    await until(() => much === MOST_PIPELINED);
    assert.ok(budget.usedBytes <= MAX_IN_FLIGHT, `${budget.usedBytes} bytes`);
    client.resume();
    await until(() => answers().length === MOST_PIPELINED);
    assert.equal(answers().filter(status => status === "503").length, MOST_PIPELINED - 1);
    await until(isFree);
    client.write(post("again"));
    await until(() => echoes().length === 1);
  });

  it("cuts a client that sends more requests than it waits for", async () => {
    client.write(post("x", "", "/held").repeat(MOST_PIPELINED + 1));
    await once(client, "close");
    await until(() => gone === MOST_PIPELINED);
    for (const { answer } of held) answer({ status: 202 });
    await until(isFree);
  });

  it("tells a client what it sent that is no request, and others that they are refused as a whole", async () => {
    const refusals = [
      ["GET / HTTP/1.1\r\nHost: x\r\nbad line\r\n\r\n", "400"],
      [`GET / HTTP/1.1\r\nHost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, "431"],
      ["POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"],
    ] as const;
    for (const [i, [text]] of refusals.entries()) {
      const socket = open();
      socket.write(text);
      await once(socket, "close");
      assert.equal(answers().length, i + 1, received);
    }
    assert.deepEqual(
      answers(),
      refusals.map(([, status]) => status),
    );
    await until(isFree);
  });

  it("does not answer what is no request before the requests that came before it", async () => {
    client.write(`${post("a", "", "/held")}no request\r\n\r\n`);
    await once(client, "close");
    assert.equal(received, "");
    assert.equal(gone, 1);
  });

  it("tells a handler that its client went away, and gives the memory back", async () => {
    client.write(post("x".repeat(MAX_BYTES), "", "/held"));
    await until(() => held.length === 1);
    client.destroy();
    await until(() => gone === 1);
    assert.equal(isFree(), false);
    held[0]?.answer({ status: 200 });
    await until(isFree);
  });

  it("tells a handler that its client went away that had asked for more", async () => {
    client.write(post("a") + post("b".repeat(80_000)));
    await until(() => answers().length === 2);
    client.write(post("c", "", "/held") + post("d"));
    await until(() => held.length === 1);
    client.resetAndDestroy();
    await until(() => gone === 1);
  });

  it("gives the memory back of a body whose client goes away before its end", async () => {
    client.write(post("x".repeat(MAX_BYTES)).slice(0, -1));
    await until(() => !isFree());
    client.destroy();
    await until(isFree);
    assert.deepEqual(handled, []);
  });

  it("answers what is asked when it closes, and says that the connection ends", async () => {
    const idle = open();
    idle.write(post("a"));
    client.write(post("a", "", "/held"));
    await until(() => held.length === 1 && answers().length === 1);
    const closed = server.close(60_000);
    held[0]?.answer({ status: 202 });
    await Promise.all([closed, once(client, "close"), once(idle, "close")]);
    assert.match(received, /HTTP\/1\.1 202 [\s\S]*\r\nconnection: close\r\n[\s\S]*\r\n\r\n$/i);
  });

  it("serves clients that keep their connections and change what they ask", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 3 });
    const call = async (i: number): Promise<string> => {
      const kind = i % 5;
      const options = { agent, host: "127.0.0.1", port: server.port };
      const sent =
        kind === 4
          ? request({ ...options, path: "/small" })
          : request({ ...options, path: "/echo", method: "POST", headers: { "x-request-id": `${i % 7}` } });
      if (kind === 3) sent.write("chunked ");
      sent.end(kind === 4 ? undefined : `body ${i}`);
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      return await text(response);
    };
    const texts = await Promise.all(Array.from({ length: 200 }, (_, i) => call(i)));
    const findExpected = (i: number): string => `${["", "", "", "chunked "][i % 5]}body ${i}`;
    for (const [i, got] of texts.entries()) assert.equal(got, i % 5 === 4 ? "small" : `<${findExpected(i)}>`);
    agent.destroy();
  });
});
