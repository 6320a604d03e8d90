import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readShared } from "../../variant-switcher/shared-reads.ts";
import { until } from "../support/until.ts";

describe("readShared", () => {
  let server: Server;
  let clients: Socket[] = [];

  beforeEach(async () => {
    server = createServer();
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    for (const client of clients) client.destroy();
    clients = [];
    server.close();
  });

  async function accept(): Promise<{ readonly client: Socket; readonly socket: Socket }> {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    clients.push(client);
    const [socket] = await accepted;
    return { client, socket };
  }

  it("has all sockets read into the same memory, on the Node that this runs on", async () => {
    const taken: { readonly text: string; readonly memory: ArrayBufferLike }[] = [];
    const take = (chunk: Buffer): boolean => taken.push({ text: chunk.toString(), memory: chunk.buffer }) > 0;
    const [a, b] = [await accept(), await accept()];
    assert.ok(readShared(a.socket, take) && readShared(b.socket, take), "its sockets are not what they were");
    a.socket.on("data", () => assert.fail("there are no data events any more"));
    for (const [i, { client }] of [a, b, a].entries()) {
      client.write(`piece ${i}`);
      await until(() => taken.length === i + 1);
    }
    assert.deepEqual(
      taken.map(({ text }) => text),
      ["piece 0", "piece 1", "piece 2"],
    );
    assert.equal(new Set(taken.map(({ memory }) => memory)).size, 1);
  });

  it("stops and goes on with the socket, and tells of its end", async () => {
    const { client, socket } = await accept();
    let bytes = 0;
    readShared(socket, chunk => {
      bytes += chunk.length;
      return true;
    });
    socket.pause();
    client.end(Buffer.alloc(300_000));
    await once(client, "finish");
    assert.equal(bytes, 0);
    const ended = once(socket, "end");
    socket.resume();
    await ended;
    assert.equal(bytes, 300_000);
  });

  it("leaves a socket as it is that has other internals", async () => {
    const { client, socket } = await accept();
    Object.defineProperty(Reflect.get(socket, "_handle"), "useUserBuffer", { value: undefined });
    assert.equal(
      readShared(socket, () => assert.fail("it was to be left as it is")),
      false,
    );
    client.write("as ever");
    assert.equal(String(await once(socket, "data")), "as ever");
  });
});
