import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { afterEach, describe, it } from "mocha";
import { Gauge } from "prom-client";
import { ByteBudget } from "../../../runtime/byte-budget.ts";
import { SharedAnswer } from "../../../runtime/http/shared-answer.ts";
import { type HttpServer, type Route, startHttpServer } from "../../../runtime/http-server.ts";
import { createLogger } from "../../../runtime/logger.ts";
import { createRegistry, metricsRoute } from "../../../runtime/process-metrics.ts";
import { until } from "../../support/until.ts";

const MIB = 1024 * 1024;
/** It is more than the system's buffers of a connection take. */
const TEXT_BYTES = 32 * MIB;

describe("an answer that all share who ask while it is made", () => {
  let server: HttpServer;
  const budget = new ByteBudget(TEXT_BYTES + 8 * MIB);
  const deaf: Socket[] = [];
  let asked = 0;
  let made = 0;
  /** Lets the answer be made that is being made. */
  let goOn: () => void = () => undefined;

  const wait = (): Promise<void> => {
    made += 1;
    return new Promise(resolve => {
      goOn = resolve;
    });
  };

  const start = async (route: Pick<Route, "isShared" | "handle">): Promise<string> => {
    [asked, made] = [0, 0];
    const refuse = (): null => {
      asked += 1;
      return null;
    };
    server = await startHttpServer({
      ...{ host: "127.0.0.1", port: 0, logger: createLogger("test", "silent"), budget },
      routes: [{ ...route, method: "GET", path: "/text", refuse }],
    });
    return `http://127.0.0.1:${server.port}/text`;
  };
  const writeText = (count: number): string => `${count}`.padEnd(TEXT_BYTES);
  const read = async (url: string): Promise<string> => (await fetch(url)).text();

  /** Asks on so many connections of its own, and reads nothing. */
  const askDeaf = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.pause();
      socket.write("GET /text HTTP/1.1\r\nHost: x\r\n\r\n");
      deaf.push(socket);
    }
  };

  afterEach(async () => {
    for (const socket of deaf.splice(0)) socket.destroy();
    await server.close(0);
    await until(() => budget.usedBytes === 0);
  });

  it("is made once, its bytes count once until it has left to all of them, and others get it while a new one has no room", async () => {
    const url = await start({
      isShared: true,
      handle: async () => {
        await wait();
        return { status: 200, headers: { "content-type": "text/plain" }, body: writeText(made) };
      },
    });
    askDeaf(8);
    const readers = [read(url), read(url)];
    await until(() => asked === 10);
    goOn();
    for (const text of await Promise.all(readers)) assert.ok(text === writeText(1));
    assert.deepEqual([made, budget.usedBytes], [1, TEXT_BYTES]);
    const later = await Promise.all([read(url), read(url)]);
    assert.ok(later.every(text => text === writeText(1)));
    assert.deepEqual([made, budget.usedBytes], [1, TEXT_BYTES]);
    const [last, ...others] = deaf;
    for (const socket of others) socket.destroy();
    assert.ok((await read(url)) === writeText(1));
    assert.deepEqual([made, budget.usedBytes], [1, TEXT_BYTES]);
    last?.destroy();
    await until(() => budget.usedBytes === 0);
    const again = read(url);
    await until(() => made === 2);
    goOn();
    assert.ok((await again) === writeText(2));
  });

  it("is made anew where there is room, and is handed on for three minutes where there is none", async () => {
    let nowMs = 0;
    const memory = new ByteBudget(5 * MIB);
    const shared = new SharedAnswer(memory, () => nowMs);
    let count = 0;
    const join = () =>
      shared.join(() => {
        count += 1;
        return { status: 200, body: `${count}`.padEnd(2 * MIB) };
      });
    const joinNumber = async () => {
      const joined = await join();
      return { number: Number.parseInt(String(joined.answer.body), 10), release: joined.release };
    };
    const [one, two] = [await joinNumber(), await joinNumber()];
    nowMs = 180_000;
    const three = await joinNumber();
    assert.deepEqual([one.number, two.number, three.number, memory.usedBytes], [1, 2, 2, 4 * MIB]);
    two.release();
    nowMs = 180_001;
    await assert.rejects(join(), /take all the memory/);
    three.release();
    assert.equal(memory.usedBytes, 2 * MIB);
    const four = await joinNumber();
    assert.equal(four.number, 3);
    one.release();
    four.release();
    assert.equal(memory.usedBytes, 0);
  });

  it("is made anew after it failed, and its memory is given back", async () => {
    const url = await start({
      isShared: true,
      handle: async () => {
        await wait();
        if (made === 1) throw new Error("not now");
        return { status: 200, body: "text" };
      },
    });
    const both = [fetch(url), fetch(url)];
    await until(() => asked === 2);
    goOn();
    assert.deepEqual(
      (await Promise.all(both)).map(({ status }) => status),
      [500, 500],
    );
    const again = read(url);
    await until(() => made === 2);
    goOn();
    assert.equal(await again, "text");
  });

  it("is that of the metrics of every process", async () => {
    const registry = createRegistry("test", "0.0.0");
    new Gauge({
      name: "collections",
      help: "How often metrics were collected",
      registers: [registry],
      async collect() {
        await wait();
        this.set(made);
      },
    });
    const url = await start(metricsRoute(registry));
    const texts = [read(url), read(url), read(url)];
    await until(() => asked === 3);
    goOn();
    for (const text of await Promise.all(texts)) assert.match(text, /^collections 1$/m);
  });
});
