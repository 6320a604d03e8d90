import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BufferPool } from "../../variant-switcher/buffer-pool.ts";
import type { DataResponse } from "../../variant-switcher/data-routes.ts";
import { GarbageValve } from "../../variant-switcher/garbage-valve.ts";
import { InFlightBytes } from "../../variant-switcher/in-flight-bytes.ts";
import { PlainConnection } from "../../variant-switcher/plain-connection.ts";
import { until } from "../support/until.ts";

const MAX_BYTES = 100_000;
const MAX_IN_FLIGHT = 150_000;

/** A request as text; `fields` with their line ends. */
function post(body: string, fields = "", path = "/echo"): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${fields}\r\n${body}`;
}

/** What requests left behind, in bytes. */
let left: number[] = [];
class CountingValve extends GarbageValve {
  override passed(bytes: number): void {
    left.push(bytes);
  }
}

describe("PlainConnection", () => {
  let server: Server;
  let connection: PlainConnection | undefined;
  let client: Socket;
  let accepted: Socket | undefined;
  let busy = 0;
  let ended = 0;
  let response: DataResponse = { status: 200 };
  let handOver = (socket: Socket): void => void socket.destroy();
  let isAccepting = true;
  let accept = (_socket: Socket | undefined): void => undefined;
  const answer: { send: (() => void) | null } = { send: null };

  beforeEach(async () => {
    const options = {
      maxBodyBytes: MAX_BYTES,
      inFlight: new InFlightBytes(() => MAX_IN_FLIGHT),
      buffers: new BufferPool(MAX_BYTES),
      valve: new CountingValve(),
      handlerOf: () => () =>
        new Promise<DataResponse>(resolve => {
          answer.send = () => resolve(response);
        }),
      onRefused: () => undefined,
      failureOf: () => ({ status: 500 }),
      isClosing: () => false,
      onBusy: (change: number) => {
        busy += change;
      },
      onEnd: () => {
        ended++;
      },
      handOver: (socket: Socket, begun: Buffer) => {
        handOver(socket);
        socket.unshift(begun);
      },
      keepAliveMs: 5000,
      requestTimeoutMs: 3000,
    };
    accept = socket => {
      if (socket && isAccepting) connection = new PlainConnection(socket, options, { head: null });
    };
    server = createServer(socket => {
      accepted = socket;
      accept(socket);
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await until(() => connection !== undefined);
  });
  afterEach(() => {
    client.destroy();
    server.close();
    connection = undefined;
    answer.send = null;
    [busy, ended] = [0, 0];
    left = [];
    response = { status: 200 };
    handOver = socket => void socket.destroy();
  });

  /** Answers what is asked next. */
  const reply = async (): Promise<void> => {
    await until(() => answer.send !== null);
    const { send } = answer;
    answer.send = null;
    send?.();
  };
  const lookIn = (ms: number): void => connection?.endIfIdle(performance.now() + ms);

  it("ends when nothing is asked for too long, and not before", async () => {
    lookIn(4000);
    client.write(post("a"));
    await until(() => answer.send !== null);
    lookIn(100_000);
    await reply();
    await once(client, "data");
    lookIn(4000);
    client.write(post("b"));
    await reply();
    await once(client, "data");
    lookIn(6000);
    await once(client, "close");
  });

  it("answers 408 when a request does not come to its end, and ends", async () => {
    client.write(post("abc").slice(0, -2));
    await until(() => busy === 1);
    lookIn(2000);
    client.write("b");
    await until(() => accepted?.bytesRead === post("abc").length - 1);
    lookIn(4000);
    assert.match(await text(client), /^HTTP\/1\.1 408 /);
  });

  /** Has the client send 8 MiB, and waits until no more of them is read. */
  const sendMuch = async (): Promise<void> => {
    const bytes = 8 * 1024 * 1024;
    client.write(Buffer.alloc(bytes, "x"));
    await until(() => (accepted?.bytesRead ?? 0) > 1000);
    for (let before = -1; before !== accepted?.bytesRead; await sleep(100)) before = accepted?.bytesRead ?? 0;
    assert.ok((accepted?.bytesRead ?? bytes) < bytes / 16, `${accepted?.bytesRead} bytes were read`);
  };

  for (const [which, earlier] of [
    ["the first", 0],
    ["another", 1],
  ] as const)
    it(`reads no further while ${which} request waits for its answer`, async () => {
      for (let i = 0; i < earlier; i++) {
        client.write(post("a"));
        await reply();
        await once(client, "data");
      }
      client.write(post("a"));
      await until(() => answer.send !== null);
      await sendMuch();
    });

  it("copies what comes early once, however many requests it is", async () => {
    client.write(post("a"));
    await reply();
    await once(client, "data");
    const early = [..."cdef"].map(body => post(body)).join("");
    client.write(post("b") + early);
    for (let i = 0; i < 5; i++) await reply();
    await until(() => left.length === 7);
    assert.deepEqual(left, [1, early.length, 0, 0, 0, 0, 0]);
  });

  it("tells of the copies of what comes early in pieces", async () => {
    client.write(post("a"));
    await reply();
    await once(client, "data");
    client.write(post("b"));
    await until(() => answer.send !== null);
    const pieces = [post("c").slice(0, 20), post("c").slice(20)];
    for (const [i, piece] of pieces.entries()) {
      client.write(piece);
      await until(() => left.length === i + 2);
    }
    for (let i = 0; i < 2; i++) await reply();
    await until(() => left.length === 6);
    assert.deepEqual(left, [1, ...pieces.map(piece => piece.length), 0, post("c").length, 0]);
  });

  it("is forgotten when it is closed, and when it is another's", async () => {
    client.write("GET / HTTP/1.1\r\n\r\n");
    await until(() => ended === 1);
    await until(() => client.destroyed);
    client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    client.write(post("a"));
    await reply();
    client.destroy();
    await until(() => ended === 2);
  });

  it("leaves nothing behind of what follows the first request, but what it answers", async () => {
    const answers = [
      { status: 200 },
      { status: 200 },
      { status: 200, parts: ["text", Buffer.alloc(70), Buffer.alloc(7)] },
    ];
    for (const [i, each] of answers.entries()) {
      response = each;
      client.write(post("x".repeat(1000 + i)));
      await reply();
      await once(client, "data");
    }
    assert.deepEqual(left, [1000, 0, 77]);
  });

  it("gives whoever takes it over all that comes later", async () => {
    let got = "";
    handOver = socket => void socket.on("data", (chunk: Buffer) => (got += chunk.toString()));
    client.write(post("a"));
    await reply();
    await once(client, "data");
    const begun = "GET / HTTP/1.1\r\n";
    client.write(begun);
    await until(() => got.length > 0);
    for (const piece of ["one", "two", "y".repeat(100_000)]) client.write(piece);
    await until(() => got.length === begun.length + 100_006);
    assert.equal(got, `${begun}onetwo${"y".repeat(100_000)}`);
  });

  it("gives whoever takes it over what stays as it is while others are read", async () => {
    let taken: Socket | undefined;
    handOver = socket => {
      taken = socket;
      socket.on("readable", () => undefined);
    };
    client.write(post("a"));
    await reply();
    await once(client, "data");
    const begun = "GET / HTTP/1.1\r\n";
    client.write(begun);
    await until(() => taken !== undefined);
    client.write("later");
    await until(() => taken?.readableLength === begun.length + 5);
    const other = connect((server.address() as AddressInfo).port, "127.0.0.1");
    for (let i = 0; i < 2; i++) {
      other.write(post("z".repeat(10_000), `X-Fill: ${"z".repeat(500)}\r\n`));
      await reply();
      await once(other, "data");
    }
    assert.equal(String(taken?.read()), `${begun}later`);
    accepted = taken;
    await sendMuch();
    other.destroy();
  });

  it("begins with all that came before it was there", async () => {
    connection = undefined;
    isAccepting = false;
    const early = connect((server.address() as AddressInfo).port, "127.0.0.1");
    for (const [i, body] of ["a", "bc"].entries()) {
      early.write(post(body));
      await until(() => (accepted?.readableLength ?? 0) >= (i + 1) * post("a").length);
    }
    isAccepting = true;
    accept(accepted);
    let got = "";
    early.on("data", chunk => (got += chunk.toString()));
    await reply();
    await reply();
    await until(() => got.split("HTTP/1.1 200").length === 3);
    early.destroy();
  });

  it("cuts a connection that was to end, and whose client does not read the last answer", async () => {
    response = { status: 413, parts: [Buffer.alloc(64 * 1024 * 1024)] };
    client.pause();
    client.write(post("a"));
    await reply();
    await until(() => busy === 0);
    lookIn(4000);
    assert.equal(accepted?.destroyed, false);
    lookIn(6000);
    assert.equal(accepted?.destroyed, true);
  });
});
