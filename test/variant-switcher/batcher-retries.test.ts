import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, whose sessions and batches fail", () => {
  let bench: BatcherBench;

  beforeEach(() => {
    bench = new BatcherBench();
  });
  afterEach(() => bench.close());

  it("gives what a lost session had not begun with to the next one, in order and without blame", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 2);
    const tickets = [1, 2, 3, 4].map(row => bench.submit([row]));
    assert.deepEqual(a.batches, [[1], [2, 3]]);
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    await a.step();
    assert.deepEqual(bench.lost, [a]);
    assert.equal(bench.batcher.queuedRows, 4);
    await bench.serve(b, 2);
    for (let i = 0; i < 3; i++) await b.step();
    assert.deepEqual(b.batches, [[1], [2, 3], [4]]);
    assert.deepEqual(
      await Promise.all(tickets.map(bench.result)),
      [1, 2, 3, 4].map(row => ["b", row]),
    );
  });

  it("runs the requests of a failed batch alone, so that only the one at fault fails", async () => {
    const session = new SteppedSession("a");
    session.onRun = rows => (rows.includes(2) ? { kind: "failed", message: "bad" } : null);
    await bench.serve(session, 4);
    bench.submit([0]);
    const tickets = [1, 2, 3].map(row => bench.submit([row]));
    for (let i = 0; i < 6; i++) await session.step();
    assert.deepEqual(session.batches, [[0], [1, 2, 3], [1], [2], [3]]);
    assert.deepEqual(await Promise.all(tickets.map(bench.result)), [["a", 1], "model_failed", ["a", 3]]);
  });

  it("retries once, alone and from where it was, what was in a lost session", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 2);
    const poison = bench.submit([9, 8, 7]);
    const fine = bench.submit([1]);
    await a.step();
    a.onRun = () => ({ kind: "lost", reason: "crash" });
    await a.step();
    assert.deepEqual(bench.lost, [a]);
    assert.equal(bench.batcher.serving, null);
    b.onRun = rows => (rows.includes(7) ? { kind: "lost", reason: "crash" } : null);
    await bench.serve(b, 2);
    await b.step();
    assert.equal(await bench.result(poison), "session_lost");
    await bench.serve(b, 2);
    await b.step();
    assert.deepEqual(b.batches, [[7], [1]]);
    assert.deepEqual(await bench.result(fine), ["b", 1]);
  });

  it("drops a request whose outputs do not keep the contract", async () => {
    const session = new SteppedSession("a");
    session.onRun = () => ({ kind: "ran", outputs: [], spare: [], serviceMs: 1 });
    await bench.serve(session, 1);
    const ticket = bench.submit([1]);
    await session.step();
    const settled = await ticket.result;
    assert.equal(settled.kind, "dropped");
    assert.match(settled.kind === "dropped" ? settled.message : "", /the output "y" is missing/);
  });
});
