import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, where time is short", () => {
  let bench: BatcherBench;

  beforeEach(() => {
    bench = new BatcherBench();
  });
  afterEach(() => bench.close());

  it("refuses at once what could not be done in time, behind what runs and waits", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 2);
    bench.foresight.ran({ variant: "a", rows: 2, serviceMs: 10_000 });
    bench.foresight.ran({ variant: "a", rows: 1, serviceMs: 6000 });
    const tickets = [bench.submit([1]), bench.submit([2]), bench.submit([3])];
    const hopeless = bench.submit([4], { timeoutMs: 20_000 });
    const settled = await hopeless.result;
    assert.equal(settled.kind === "dropped" && settled.reason, "would_be_late");
    assert.match(
      settled.kind === "dropped" ? settled.message : "",
      /done in about 2[12]\d{3} ms, behind 0 rows, but only (20000|19\d{3}) ms are left/,
    );
    const fine = bench.submit([5], { timeoutMs: 60_000 });
    for (let i = 0; i < 4; i++) await session.step();
    assert.deepEqual(await Promise.all([...tickets, fine].map(bench.result)), [
      ["a", 1],
      ["a", 2],
      ["a", 3],
      ["a", 5],
    ]);
    assert.deepEqual(bench.drops, ["would_be_late"]);
  });

  it("runs what an idle session has time for although it was slow before, and learns", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 1);
    bench.foresight.ran({ variant: "a", rows: 1, serviceMs: 60_000 });
    const ticket = bench.submit([1], { timeoutMs: 5000 });
    await session.step();
    assert.deepEqual(await bench.result(ticket), ["a", 1]);
    assert.ok(bench.foresight.expectedMs("a", 1) < 60_000);
  });

  it("lets what would be late give way to what would not", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 1);
    const first = bench.submit([1]);
    const [late, fine] = [bench.submit([2], { timeoutMs: 3000 }), bench.submit([3])];
    bench.foresight.ran({ variant: "a", rows: 1, serviceMs: 10_000 });
    await session.step();
    assert.equal(await bench.result(late), "would_be_late");
    await session.step();
    assert.deepEqual(await Promise.all([first, fine].map(bench.result)), [
      ["a", 1],
      ["a", 3],
    ]);
  });

  it("gives no answer after the deadline", async () => {
    const session = new SteppedSession("a");
    await bench.serve(session, 1);
    const ticket = bench.submit([1], { timeoutMs: 20 });
    await sleep(40);
    await session.step();
    const settled = await ticket.result;
    assert.equal(settled.kind === "dropped" && settled.reason, "late");
    assert.match(settled.kind === "dropped" ? settled.message : "", /came \d+ ms after the deadline/);
  });

  it("drops what is late or given up before it runs, also while nothing serves", async () => {
    const late = bench.submit([1], { timeoutMs: 10 });
    const gone = bench.submit([2]);
    gone.cancel();
    assert.deepEqual(await Promise.all([late, gone].map(bench.result)), ["deadline", "cancelled"]);
    const session = new SteppedSession("a");
    await bench.serve(session, 1);
    assert.deepEqual(session.batches, []);
    assert.deepEqual(bench.drops, ["cancelled", "deadline"]);
    assert.equal(bench.batcher.queueAgeMs(), 0);
  });
});
