import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { readItems, runLoad } from "../../../cli/demo/load-client.ts";
import type { RequestRecord } from "../../../cli/demo/request-record.ts";
import type { LabelledItem, PipelineCode } from "../../../gateway/stage.ts";

const item = (id: string): LabelledItem => ({ id, body: Buffer.from(id), contentType: "text/plain", label: id });

/** What the server does with a request, by its body. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  right: response => response.setHeader("x-variscale-variants", "read=light").end('"right"'),
  wrong: response => response.end('"something else"'),
  full: response => response.writeHead(503).end("{}"),
  late: response => response.writeHead(504).end("{}"),
  failed: response => response.writeHead(502).end("{}"),
  refused: response => response.writeHead(400).end("{}"),
  reset: response => response.destroy(),
  cut: response => {
    response.writeHead(200, { "content-length": 100 }).write('"rig', () => response.destroy());
  },
  garbage: response => response.end("no JSON"),
  silent: () => undefined,
  drips: response => {
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  },
};

describe("runLoad()", () => {
  let server: Server;
  let url: string;
  let connections: number;

  beforeEach(async () => {
    connections = 0;
    server = createServer((request, response) => {
      let body = "";
      request.on("data", chunk => {
        body += chunk;
      });
      request.on("end", () => ANSWERS[body]?.(response));
    });
    server.on("connection", () => {
      connections += 1;
    });
    await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const send = async (
    names: readonly string[],
    arrivalsMs: readonly number[] = names.map(() => 0),
    timeoutMs = 5000,
  ) => {
    const records: RequestRecord[] = [];
    await runLoad({
      url,
      arrivalsMs,
      items: names.map(item),
      score: (response, label) => {
        if (typeof response !== "string") throw new Error("not a response");
        return { correct: response === label, partsCorrect: response === label ? 2 : 1, parts: 2 };
      },
      timeoutMs,
      onRecord: record => records.push(record),
    });
    return records;
  };

  it("judges what is served, with the variants that the gateway names", async () => {
    const [right] = await send(["right"]);
    assert.deepEqual(
      { ...right, latencyMs: 0 },
      { atMs: 0, latencyMs: 0, outcome: "served", correct: true, partsCorrect: 2, parts: 2, variants: "read=light" },
    );
    assert.ok(right!.latencyMs > 0);
    const [wrong] = await send(["wrong"]);
    assert.deepEqual([wrong?.outcome, wrong?.correct, wrong?.partsCorrect, wrong?.variants], ["served", false, 1, ""]);
  });

  const OUTCOMES = {
    dropped: ["full", "late"],
    lost: ["failed", "refused", "reset", "cut", "garbage"],
  } as const;
  for (const [outcome, names] of Object.entries(OUTCOMES)) {
    for (const name of names) {
      it(`counts \`${name}\` as ${outcome}`, async () => {
        const [record] = await send([name]);
        assert.deepEqual([record?.outcome, record?.correct, record?.parts], [outcome, false, 0]);
      });
    }
  }

  it("counts what has no whole answer in time as lost, also when it drips", async () => {
    const records = await send(["silent", "drips"], [0, 0], 200);
    assert.deepEqual(
      records.map(record => record.outcome),
      ["lost", "lost"],
    );
  });

  it("counts all as lost when nothing listens, and goes on", async () => {
    await new Promise(resolve => server.close(resolve));
    const records = await send(["right", "right"], [0, 10]);
    assert.deepEqual(
      records.map(record => record.outcome),
      ["lost", "lost"],
    );
  });

  it("sends the items in turn at their times, whatever becomes of those before", async () => {
    const records = await send(["silent", "right"], [0, 10, 20, 30], 2000);
    assert.deepEqual(
      records.map(record => [record.atMs, record.outcome]),
      [
        [10, "served"],
        [30, "served"],
        [0, "lost"],
        [20, "lost"],
      ],
    );
  });

  it("uses its connections again", async () => {
    await send(["right"], [0, 50, 100, 150, 200]);
    assert.ok(connections < 5, String(connections));
  });

  it("has nothing to do without arrivals", async () => assert.deepEqual(await send(["right"], []), []));
});

describe("readItems()", () => {
  it("reads as many as asked for, and none where the code has no evaluation", async () => {
    const evaluation = {
      async *items(count: number) {
        for (let i = 0; i < Math.min(count, 3); i++) yield item(String(i));
      },
    };
    const code = { evaluation } as unknown as PipelineCode;
    const ids = async (count: number) => (await readItems(code, count)).map(({ id }) => id);
    assert.deepEqual(await ids(2), ["0", "1"]);
    assert.deepEqual(await ids(10), ["0", "1", "2"]);
    assert.deepEqual(await readItems({} as PipelineCode, 5), []);
  });
});
