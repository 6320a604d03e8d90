import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createLogger } from "../../runtime/logger.ts";
import { DataServer } from "../../variant-switcher/data-server.ts";
import { InFlightBytes } from "../../variant-switcher/in-flight-bytes.ts";

const MAX_BYTES = 1000;

describe("DataServer", () => {
  let server: DataServer;
  /** Lets the requests that were read be answered, in the order in which they came. */
  let waiting: (() => void)[] = [];
  let onRead: (() => void) | null = null;

  beforeEach(async () => {
    waiting = [];
    onRead = null;
    const echo = async ({ body }: { readonly body: Buffer }) => {
      const { length } = body;
      await new Promise<void>(resolve => {
        waiting.push(resolve);
        onRead?.();
      });
      return { status: 200, json: length };
    };
    server = await DataServer.start({
      host: "127.0.0.1",
      port: 0,
      routes: { get: () => null, post: () => echo, refused: () => undefined },
      logger: createLogger("test", "silent"),
      maxBodyBytes: MAX_BYTES,
      inFlight: new InFlightBytes(() => MAX_BYTES),
    });
  });
  afterEach(() => server.close(1000));

  /** Sends a body of so many bytes in two pieces; gives the status. */
  const send = (bytes: number, headers: Record<string, string | number>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const post = request({ host: "127.0.0.1", port: server.port, method: "POST", headers }, response => {
        response.resume().on("end", () => resolve(response.statusCode));
      });
      post.on("error", reject);
      post.write(Buffer.alloc(Math.ceil(bytes / 2)));
      post.end(Buffer.alloc(Math.floor(bytes / 2)));
    });
  const chunked = (bytes: number) => send(bytes, { "transfer-encoding": "chunked" });
  const declared = (bytes: number) => send(bytes, { "content-length": bytes });
  /** Resolves once the server has read so many bodies that it has not answered. */
  const read = (count: number): Promise<void> =>
    new Promise(resolve => {
      onRead = () => waiting.length >= count && resolve();
      onRead();
    });

  for (const [name, sender] of [
    ["of undeclared length", chunked],
    ["of declared length", declared],
  ] as const)
    it(`reads bodies ${name} at the same time as long as there is room for what they have`, async () => {
      const first = sender(400);
      await read(1);
      const second = sender(400);
      await read(2);
      assert.equal(await sender(400), 503);
      for (const answer of waiting.splice(0)) answer();
      assert.deepEqual(await Promise.all([first, second]), [200, 200]);
      const alone = sender(MAX_BYTES);
      await read(1);
      waiting.shift()?.();
      assert.equal(await alone, 200);
    });

  it("answers 413 to a body of undeclared length that grows too large, and has room for others then", async () => {
    assert.equal(await chunked(MAX_BYTES + 2), 413);
    const first = chunked(700);
    await read(1);
    assert.equal(await chunked(400), 503);
    waiting.shift()?.();
    assert.equal(await first, 200);
  });
});

for (const [kind, body] of [
  ["Node's", ""],
  ["a plain", "x"],
] as const)
  describe(`DataServer.close() with ${kind} connection`, () => {
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
          post: () => large,
          refused: () => undefined,
        },
        logger: createLogger("test", "silent"),
        maxBodyBytes: MAX_BYTES,
        inFlight: new InFlightBytes(() => MAX_BYTES),
      });
      client = connect(server.port, "127.0.0.1");
    });
    afterEach(async () => {
      client.destroy();
      await server.close(0);
    });

    /** Asks for a large answer and reads the beginning of it. */
    const begin = async (): Promise<number> => {
      client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      const [first] = (await once(client, "data")) as [Buffer];
      client.pause();
      return first.length;
    };

    it("lets a large answer end that was handed over, and then ends the connection", async () => {
      let bytes = await begin();
      const closed = server.close(60_000);
      client.on("data", chunk => {
        bytes += chunk.length;
      });
      client.resume();
      await Promise.all([closed, once(client, "close")]);
      assert.ok(bytes > BYTES, `${bytes} of ${BYTES} bytes`);
    });

    it("cuts it where nobody reads it in time", async () => {
      await begin();
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
