import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, it } from "mocha";
import { Replica } from "../../gateway/replica.ts";
import { StagePool } from "../../gateway/stage-pool.ts";
import { numberPipeline, stageOf, until } from "./number-pipeline.ts";
import { startEchoReplica, startSilentReplica } from "./replicas.ts";

const ROW = { x: { datatype: "UINT8" as const, shape: [2], data: new Uint8Array([1, 2]) } };
const stage = stageOf(numberPipeline(), "count");

function callWith(rows = 1, signal = new AbortController().signal) {
  return { id: "r", rows: Array.from({ length: rows }, () => ROW), timeoutMs: 1000, sloTimeoutMs: 1000, signal };
}

/** Where nothing listens. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise(resolve => server.close(resolve));
  return `127.0.0.1:${port}`;
}

describe("Replica", () => {
  let nowMs = 0;
  const closers: (() => Promise<void>)[] = [];
  beforeEach(() => {
    nowMs = 1000;
  });
  afterEach(async () => {
    await Promise.all(closers.splice(0).map(close => close()));
  });

  async function startEcho(parameters: Record<string, unknown>) {
    const server = Object.assign(await startEchoReplica(), { parameters });
    const replica = new Replica({ address: server.address }, stage, () => nowMs);
    closers.push(async () => {
      replica.remove();
      await server.close();
    });
    return { server, replica };
  }

  it("is left out for one step of the back-off by calls that fail together, and for longer by those that come after it", async () => {
    const replica = new Replica({ address: await closedAddress() }, stage, () => nowMs);
    const results = await Promise.all(Array.from({ length: 20 }, () => replica.infer(callWith())));
    assert.ok(results.every(({ kind }) => kind === "unreachable"));
    assert.equal(replica.leftOutUntilMs, nowMs + 100);
    nowMs += 100;
    assert.equal(replica.isOpen, true);
    await replica.infer(callWith());
    assert.equal(replica.leftOutUntilMs, nowMs + 200);
    replica.remove();
  });

  it("counts the rows that it has not answered", async () => {
    const server = await startSilentReplica();
    const replica = new Replica({ address: server.address }, stage, () => nowMs);
    const cut = new AbortController();
    const calls = [2, 3].map(rows => replica.infer(callWith(rows, cut.signal)));
    assert.deepEqual([replica.sentRows, replica.outstandingRows], [5, 5]);
    cut.abort();
    await Promise.all(calls);
    assert.deepEqual([replica.sentRows, replica.outstandingRows, replica.isOpen], [0, 0, true]);
    replica.remove();
    await server.close();
  });

  it("takes over its time for a row, and keeps it where an answer says none", async () => {
    const { server, replica } = await startEcho({});
    await replica.infer(callWith());
    assert.equal(replica.rowMs, null);
    server.parameters = { row_ms: 2.5 };
    await replica.infer(callWith());
    server.parameters = {};
    await replica.infer(callWith());
    assert.equal(replica.rowMs, 2.5);
  });

  it("counts rows of others that wait there, fewer with the time since it told of them", async () => {
    const { replica } = await startEcho({ queued_rows: 10, row_ms: 2 });
    await replica.infer(callWith(3));
    assert.deepEqual([replica.sentRows, replica.outstandingRows], [0, 10]);
    nowMs += 8;
    assert.equal(replica.outstandingRows, 6);
    nowMs += 100;
    assert.equal(replica.outstandingRows, 0);
  });

  it("does not count its own rows twice, which wait there too", async () => {
    const { server, replica } = await startEcho({ queued_rows: 10, row_ms: 2 });
    server.isSilent = true;
    const cut = new AbortController();
    const waiting = replica.infer(callWith(4, cut.signal));
    await until(() => server.calls.length === 1);
    server.isSilent = false;
    await replica.infer(callWith(3));
    assert.deepEqual([replica.sentRows, replica.outstandingRows], [4, 4 + 6]);
    cut.abort();
    await waiting;
  });

  for (const parameters of [
    { queued_rows: -1, row_ms: 0 },
    { queued_rows: "7", row_ms: "2" },
    { queued_rows: 1e300, row_ms: 1e300 },
    { queued_rows: null, row_ms: [] },
  ])
    it(`ignores ${JSON.stringify(parameters)}`, async () => {
      const { replica } = await startEcho(parameters);
      assert.equal((await replica.infer(callWith())).kind, "answered");
      assert.deepEqual([replica.rowMs, replica.outstandingRows], [null, 0]);
    });
});

describe("StagePool", () => {
  it("counts a replica that has not answered with the mean time for a row of the others", async () => {
    const servers = await Promise.all([startEchoReplica(), startEchoReplica(), startEchoReplica()]);
    const pool = new StagePool(stage, { random: () => 0, nowMs: () => 0 });
    pool.update(servers.map(({ address }) => ({ address })));
    for (const [i, rowMs] of [1, 5].entries()) {
      servers[i]!.parameters = { row_ms: rowMs };
      await pool.replicas[i]!.infer(callWith());
    }
    const rowsByAddress = new Map(pool.split(46).map(({ replica, rows }) => [replica.address, rows]));
    // 30 ms of work each: 30 rows of 1 ms, 6 of 5 ms and 10 of 3 ms.
    assert.deepEqual(
      servers.map(({ address }) => rowsByAddress.get(address)),
      [30, 6, 10],
    );
    pool.close();
    await Promise.all(servers.map(server => server.close()));
  });
});
