import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher", () => {
  let bench: BatcherBench;

  beforeEach(() => {
    bench = new BatcherBench();
  });
  afterEach(() => bench.close());

  it("runs what is there at once, and then all that has come meanwhile up to the batch", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 3);
    const tickets = [1, 2, 3].map(row => bench.submit([row]));
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
    assert.deepEqual(session.batches, [[1], [2, 3]]);
    await session.step();
    assert.deepEqual(
      await Promise.all(tickets.map(bench.result)),
      [1, 2, 3].map(row => ["a", row]),
    );
  });

  it("spreads a request over batches and joins its rows again", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 2);
    const first = bench.submit([1, 2, 3, 4, 5]);
    const second = bench.submit([6]);
    await session.step();
    await session.step();
    await session.step();
    assert.deepEqual(session.batches, [
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    assert.deepEqual(await bench.result(first), ["a", 1, 2, 3, 4, 5]);
    assert.deepEqual(await bench.result(second), ["a", 6]);
  });

  it("does not mix shapes in a batch", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 8);
    bench.submit([0]);
    const tickets = [bench.submit([1]), bench.submit([2], { width: 3 }), bench.submit([3])];
    for (let i = 0; i < 3; i++) await session.step();
    assert.deepEqual(session.batches, [[0], [1, 3], [2]]);
    assert.deepEqual(await bench.result(tickets[1]!), ["a", 2, 2, 2]);
  });

  it("refuses rows and bytes over its limits, and whatever comes when it must not", async () => {
    bench = new BatcherBench({ maxRows: 3, maxBytes: 10 });
    const session = new SteppedSession("a");
    await bench.serve(session, 4);
    bench.submit([0]);
    const [kept, rows, bytes] = [bench.submit([1, 2]), bench.submit([3, 4]), bench.submit([5], { width: 9 })];
    assert.deepEqual(await Promise.all([rows, bytes].map(bench.result)), ["queue_full", "queue_full"]);
    bench.refusal = "closed";
    assert.equal(await bench.result(bench.submit([6])), "not_ready");
    for (let i = 0; i < 2; i++) await session.step();
    assert.deepEqual(await bench.result(kept), ["a", 1, 2]);
    assert.equal(bench.batcher.queuedRows, 0);
  });

  it("tells when nothing waits or runs", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 1);
    bench.submit([1]);
    let idle = false;
    const whenIdle = bench.batcher.whenIdle().then(() => {
      idle = true;
    });
    await turn();
    assert.equal(idle, false);
    await session.step();
    await whenIdle;
  });
});
