import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, where time is short", () => {
  let bench = new BatcherBench();

  const create = (byRows: Readonly<Record<number, number>> = {}): SteppedSession => {
    bench = new BatcherBench({ measured: { a: byRows } });
    return new SteppedSession("a");
  };
  afterEach(() => bench.close());

  it("refuses at once what could not be done in time, behind what runs and what is more urgent", async () => {
    const session = create({ 1: 6000, 2: 10_000 });
    await bench.serve(session, 2);
    const tickets = [bench.submit([1]), bench.submit([2]), bench.submit([3])];
    const settled = await bench.submit([4], { timeoutMs: 11_000 }).result;
    assert.equal(settled.kind === "dropped" && settled.reason, "would_be_late");
    assert.match(
      settled.kind === "dropped" ? settled.message : "",
      /even the lightest rung can't serve it within the (11000|109\d\d) ms that are left/,
    );
    const fine = bench.submit([5], { timeoutMs: 50_000 });
    for (let i = 0; i < 4; i++) await session.step();
    assert.deepEqual(await Promise.all([...tickets, fine].map(bench.result)), [
      ["a", 1],
      ["a", 2],
      ["a", 3],
      ["a", 5],
    ]);
    assert.deepEqual(bench.drops, ["would_be_late"]);
  });

  it("refuses a waiting call when more urgent ones take its time", async () => {
    const session = create({ 1: 5000, 2: 9000 });
    await bench.serve(session, 2);
    bench.submit([1]);
    const first = bench.submit([2], { timeoutMs: 12_000 });
    const urgent = [bench.submit([3], { timeoutMs: 11_000 }), bench.submit([4], { timeoutMs: 11_000 })];
    assert.equal(await bench.result(first), "would_be_late");
    for (let i = 0; i < 2; i++) await session.step();
    assert.deepEqual(await Promise.all(urgent.map(bench.result)), [
      ["a", 3],
      ["a", 4],
    ]);
  });

  it("lets the most urgent one wait until a batch starts, and give way then where another one would be late for it", async () => {
    const session = create({ 1: 1000, 2: 50_000 });
    session.serviceMs = () => 1000;
    await bench.serve(session, 2);
    bench.submit([1]);
    await sleep(600);
    const urgent = bench.submit([2], { timeoutMs: 3000 });
    // Behind it this one would be done 51 s after the start of the next batch, which is 400 ms from now.
    const behind = bench.submit([3, 4], { timeoutMs: 50_700 });
    assert.deepEqual(bench.drops, []);
    await session.step();
    assert.equal(await bench.result(urgent), "would_be_late");
    await session.step();
    assert.deepEqual(await bench.result(behind), ["a", 3, 4]);
  });

  it("runs what an idle replica has time for although it was slow before, and learns", async () => {
    const session = create({ 1: 60_000 });
    await bench.serve(session, 1);
    const ticket = bench.submit([1], { timeoutMs: 5000 });
    await session.step();
    assert.deepEqual(await bench.result(ticket), ["a", 1]);
    assert.ok(bench.times.factor < 1);
  });

  it("runs the call with the most time where all are hopeless", async () => {
    const session = create({ 1: 2000, 2: 2000 });
    session.serviceMs = () => 50_000;
    await bench.serve(session, 2);
    const slow = bench.submit([0]);
    const [less, more] = [bench.submit([1], { timeoutMs: 4500 }), bench.submit([2], { timeoutMs: 7000, width: 2 })];
    // The first batch takes much longer than it was measured to, so that both are expected to be late.
    await session.step();
    assert.deepEqual(await bench.result(slow), ["a", 0]);
    assert.equal(await bench.result(less), "would_be_late");
    session.serviceMs = () => 1;
    await session.step();
    assert.deepEqual(await bench.result(more), ["a", 2, 2]);
  });

  it("gives no answer after the deadline", async () => {
    const session = create();
    await bench.serve(session, 1);
    const ticket = bench.submit([1], { timeoutMs: 20 });
    await sleep(40);
    await session.step();
    const settled = await ticket.result;
    assert.equal(settled.kind === "dropped" && settled.reason, "late");
    assert.match(settled.kind === "dropped" ? settled.message : "", /came \d+ ms after the deadline/);
  });

  it("drops what is late or given up before it runs, also while nothing serves", async () => {
    const session = create();
    const late = bench.submit([1], { timeoutMs: 10 });
    const gone = bench.submit([2]);
    gone.cancel();
    assert.deepEqual(await Promise.all([late, gone].map(bench.result)), ["deadline", "cancelled"]);
    await bench.serve(session, 1);
    assert.deepEqual(session.batches, []);
    assert.deepEqual(bench.drops, ["cancelled", "deadline"]);
    assert.equal(bench.batcher.queueAgeMs(), 0);
  });
});
