import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Server } from "@grpc/grpc-js";
import fc from "fast-check";
import { describe, it } from "mocha";
import { keepStreamsInLists, replaceTables } from "../../runtime/http2-streams.ts";
import { OpenList } from "../../runtime/open-list.ts";
import { until } from "../support/switcher-harness.ts";

describe("OpenList", () => {
  it("holds what a Map holds", () => {
    const step = fc.tuple(fc.constantFrom("set", "delete", "get"), fc.nat(9), fc.nat());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const [map, list] = [new Map<number, number>(), new OpenList<number, number>()];
        for (const [what, key, value] of steps) {
          if (what === "set") {
            assert.equal(list.set(key, value), list);
            map.set(key, value);
          } else if (what === "delete") assert.equal(list.delete(key), map.delete(key));
          assert.equal(list.get(key), map.get(key));
          assert.equal(list.has(key), map.has(key));
          assert.equal(list.size, map.size);
        }
        assert.deepEqual(new Map([...list].sort()), new Map([...map].sort()));
        assert.deepEqual([...list.values()].sort(), [...map.values()].sort());
        const seen = new Map<number, number>();
        list.forEach((value, key) => void seen.set(key, value));
        assert.deepEqual(new Map([...seen].sort()), new Map([...map].sort()));
      }),
    );
  });

  it("holds what a Set holds", () => {
    const list = new OpenList<object, object>();
    const [one, two] = [{}, {}];
    list.add(one).add(two).add(one);
    assert.equal(list.size, 2);
    assert.equal(list.delete(one), true);
    assert.deepEqual([list.has(one), list.has(two), list.size], [false, true, 1]);
    list.clear();
    assert.deepEqual([list.has(two), list.size], [false, 0]);
  });

  it("visits nothing that a visit took out, and all else once", () => {
    const list = new OpenList<number, number>();
    for (let key = 0; key < 6; key++) list.set(key, key);
    const seen: number[] = [];
    list.forEach((_value, key) => {
      seen.push(key);
      list.delete(key);
      list.delete(key + 1);
      list.set(10 + key, 0);
    });
    assert.deepEqual(seen, [0, 2, 4]);
  });
});

const sizeOf = (table: unknown): number => (table instanceof OpenList ? table.size : Number.NaN);

describe("replaceTables()", () => {
  const withSession = async (use: (client: ClientHttp2Session, kept: () => object[]) => Promise<void>) => {
    const server = createServer();
    let tables: object[] = [];
    server.on("session", session => {
      assert.equal(replaceTables(session), true);
      const [state] = Object.getOwnPropertySymbols(session).filter(({ description }) => description === "state");
      const held = (session as unknown as Record<symbol, Record<string, object>>)[state ?? Symbol()];
      tables = [held?.["streams"] ?? {}, held?.["pendingStreams"] ?? {}];
    });
    server.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      if (headers[":path"] === "/now") stream.respond({ ":status": 200 }, { endStream: true });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    await use(client, () => tables);
    server.close();
    await once(server, "close");
  };

  it("knows the sessions of this Node, whose streams come and go in the lists", async () => {
    await withSession(async (client, tables) => {
      const open = client.request({ ":path": "/never" });
      open.on("error", () => undefined);
      for (let i = 0; i < 20; i++) {
        const stream = client.request({ ":path": "/now" }).resume();
        await once(stream, "close");
      }
      const [streams] = tables();
      assert.ok(streams instanceof OpenList);
      await until(() => sizeOf(streams) === 1, "one open stream");
      open.close();
      await until(() => sizeOf(streams) === 0, "no open stream");
      client.close();
    });
  });

  it("lets a session that ends destroy the streams that are open", async () => {
    await withSession(async (client, tables) => {
      const streams = Array.from({ length: 5 }, () => client.request({ ":path": "/never" }));
      for (const stream of streams) stream.on("error", () => undefined);
      await until(() => sizeOf(tables()[0]) === 5, "five open streams");
      client.destroy();
      await until(() => sizeOf(tables()[0]) === 0, "no open stream");
    });
  });

  it("leaves alone what it does not know", () => {
    const session = (state: unknown) =>
      ({ [Symbol("state")]: state }) as unknown as Parameters<typeof replaceTables>[0];
    const used = { streams: new Map([[1, {}]]), pendingStreams: new Set() };
    for (const state of [undefined, {}, used, { streams: new Map(), pendingStreams: [] }, { streams: null }])
      assert.equal(replaceTables(session(state)), false);
    assert.equal(used.streams.size, 1);
    keepStreamsInLists({} as Server);
  });
});
