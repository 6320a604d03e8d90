import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, that hands batches over ahead", () => {
  let bench: BatcherBench;

  beforeEach(() => {
    bench = new BatcherBench();
  });
  afterEach(() => bench.close());

  it("hands one full batch over ahead, so that the session never idles", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 2);
    const tickets = [1, 2, 3, 4, 5, 6, 7, 8].map(row => bench.submit([row]));
    assert.deepEqual(session.batches, [[1], [2, 3]]);
    await session.step();
    assert.deepEqual(session.batches.slice(2), [[4, 5]]);
    await session.step();
    assert.deepEqual(session.batches.slice(3), [[6, 7]]);
    await session.step();
    assert.equal(session.batches.length, 4);
    await session.step();
    await session.step();
    assert.deepEqual(session.batches.slice(4), [[8]]);
    assert.deepEqual(
      await Promise.all(tickets.map(bench.result)),
      [1, 2, 3, 4, 5, 6, 7, 8].map(row => ["a", row]),
    );
  });

  it("counts what it handed over ahead from when the batch before it ended", async () => {
    bench = new BatcherBench({ measured: { a: { 1: 500 } } });
    const session = new SteppedSession("a");
    session.serviceMs = () => 500;
    await bench.serve(session, 1);
    for (const row of [1, 2]) bench.submit([row]);
    await sleep(500);
    await session.step();
    assert.equal(await bench.result(bench.submit([3], { timeoutMs: 900 })), "would_be_late");
    for (let i = 0; i < 2; i++) await session.step();
  });

  it("hands nothing over ahead while another session is about to take over", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 1);
    bench.submit([1]);
    const swap = bench.serve(b, 1);
    const tickets = [2, 3].map(row => bench.submit([row]));
    assert.deepEqual(a.batches, [[1]]);
    await a.step();
    await swap;
    await b.step();
    await b.step();
    assert.deepEqual(await Promise.all(tickets.map(bench.result)), [
      ["b", 2],
      ["b", 3],
    ]);
  });

  it("hands nothing over ahead beside what failed before, so that only what is at fault is blamed", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 1);
    const tickets = [1, 2, 3].map(row => bench.submit([row]));
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    await bench.serve(b, 1);
    assert.deepEqual([a.batches, b.batches], [[[1], [2]], [[1]]]);
    await b.step();
    assert.deepEqual(b.batches, [[1], [2], [3]]);
    await b.step();
    await b.step();
    assert.deepEqual(
      await Promise.all(tickets.map(bench.result)),
      [1, 2, 3].map(row => ["b", row]),
    );
  });
});
