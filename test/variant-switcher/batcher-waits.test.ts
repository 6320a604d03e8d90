import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, that may wait for a full batch", () => {
  let bench: BatcherBench;

  beforeEach(() => {
    bench = new BatcherBench();
  });
  afterEach(() => bench.close());

  it("waits for a full batch only where one is cheaper by the row", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 2, 60_000);
    bench.foresight.ran({ variant: "a", rows: 1, serviceMs: 10 });
    bench.foresight.ran({ variant: "a", rows: 2, serviceMs: 19 });
    bench.submit([1]);
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
    bench.create();
    const cheaper = new SteppedSession("b");
    await bench.serve(cheaper, 2, 60_000);
    bench.foresight.ran({ variant: "b", rows: 1, serviceMs: 10 });
    bench.foresight.ran({ variant: "b", rows: 2, serviceMs: 17 });
    bench.submit([1]);
    assert.deepEqual(cheaper.batches, []);
    bench.submit([2]);
    assert.deepEqual(cheaper.batches, [[1, 2]]);
    await cheaper.step();
  });

  it("waits for no full batch of which nothing is known", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 2, 60_000);
    bench.submit([1]);
    assert.deepEqual(session.batches, [[1]]);
    await session.step();
  });

  it("waits for a full batch no longer than it is told to", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 2, 30);
    bench.foresight.ran({ variant: "a", rows: 1, serviceMs: 10 });
    bench.foresight.ran({ variant: "a", rows: 2, serviceMs: 12 });
    bench.submit([1]);
    bench.submit([2]);
    assert.deepEqual(session.batches, [[1, 2]]);
    await session.step();
    bench.submit([3]);
    assert.equal(session.batches.length, 1);
    await sleep(60);
    assert.deepEqual(session.batches.at(-1), [3]);
    await session.step();
  });
});
