import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

const LONG_MS = 60_000;

describe("Batcher, where something waits for a pause", () => {
  let bench: BatcherBench;
  let session: SteppedSession;

  beforeEach(async () => {
    bench = new BatcherBench();
    session = new SteppedSession("a");
    await bench.serve(session, 2);
  });
  afterEach(() => bench.close());

  const isOver = async (pause: Promise<void>): Promise<boolean> => {
    let over = false;
    void pause.then(() => {
      over = true;
    });
    await turn();
    return over;
  };

  it("has one while nothing runs", async () => {
    assert.equal(await isOver(bench.batcher.whenPaused(LONG_MS)), true);
  });

  it("has one when the batch that runs has ended, also where the next one begins right then", async () => {
    bench.submit([1, 2]);
    const pauses = [bench.batcher.whenPaused(LONG_MS), bench.batcher.whenPaused(LONG_MS)];
    assert.deepEqual(await Promise.all(pauses.map(isOver)), [false, false]);
    bench.submit([3]);
    await session.step();
    assert.deepEqual(await Promise.all(pauses.map(isOver)), [true, true]);
    assert.deepEqual(session.batches, [[1, 2], [3]]);
  });

  it("has one when the session was lost", async () => {
    session.onRun = () => ({ kind: "lost", reason: "it crashed" });
    bench.submit([1]);
    const pause = bench.batcher.whenPaused(LONG_MS);
    await session.step();
    assert.equal(await isOver(pause), true);
  });

  it("does not wait for one where rows wait already", async () => {
    bench.submit([1]);
    bench.submit([2]);
    assert.equal(await isOver(bench.batcher.whenPaused(LONG_MS)), true);
  });

  it("does not wait for one that is expected to be too far away", async () => {
    bench = new BatcherBench({ measured: { a: { 1: LONG_MS } } });
    await bench.serve(session, 2);
    bench.submit([1]);
    assert.equal(await isOver(bench.batcher.whenPaused(LONG_MS - 10_000)), true);
    const pause = bench.batcher.whenPaused(LONG_MS);
    assert.equal(await isOver(pause), false);
    await session.step();
    assert.equal(await isOver(pause), true);
  });

  it("does not wait for one where batches are handed over ahead, nor on where they come to be", async () => {
    bench.submit([1, 2]);
    const pause = bench.batcher.whenPaused(LONG_MS);
    assert.equal(await isOver(pause), false);
    bench.submit([3, 4]);
    assert.equal(session.batches.length, 2);
    assert.equal(await isOver(pause), true);
    assert.equal(await isOver(bench.batcher.whenPaused(LONG_MS)), true);
  });

  it("says when a variant has ended its batches, also one that was handed over ahead", async () => {
    for (const rows of [
      [1, 2],
      [3, 4],
    ])
      bench.submit(rows);
    const ended = bench.batcher.whenEnded("a");
    assert.equal(await isOver(bench.batcher.whenEnded("b")), true);
    await session.step();
    assert.equal(await isOver(ended), false);
    await session.step();
    assert.equal(await isOver(ended), true);
  });

  it("is waited for by nobody whose signal is aborted", async () => {
    bench.submit([1]);
    const abort = new AbortController();
    const pause = bench.batcher.whenPaused(LONG_MS, abort.signal);
    assert.equal(await isOver(pause), false);
    abort.abort();
    assert.equal(await isOver(pause), true);
    assert.equal(await isOver(bench.batcher.whenPaused(LONG_MS, abort.signal)), true);
    await session.step();
  });

  it("waits no longer than it was told to", async () => {
    bench.submit([1]);
    const startMs = performance.now();
    await bench.batcher.whenPaused(30);
    assert.ok(performance.now() - startMs >= 29);
    assert.equal(session.batches.length, 1);
    await session.step();
  });
});
