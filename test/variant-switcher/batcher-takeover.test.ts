import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, where another session takes over", () => {
  let bench: BatcherBench;

  beforeEach(() => {
    bench = new BatcherBench();
  });
  afterEach(() => bench.close());

  it("lets a new session take over between batches, after a request that is half served", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 2);
    const first = bench.submit([1, 2, 3]);
    const second = bench.submit([4]);
    let swapped = false;
    const swap = bench.serve(b, 2).then(() => {
      swapped = true;
    });
    await turn();
    assert.equal(swapped, false);
    await a.step();
    assert.deepEqual(a.batches.at(-1), [3, 4]);
    assert.equal(swapped, false);
    await a.step();
    await swap;
    const third = bench.submit([5]);
    await b.step();
    assert.deepEqual(await Promise.all([first, second, third].map(bench.result)), [
      ["a", 1, 2, 3],
      ["a", 4],
      ["b", 5],
    ]);
  });

  it("begins with no request that would be half served while a new session waits", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 4);
    const requests = [1, 2, 3, 4].map(first => bench.submit(Array(5).fill(first)));
    const swap = bench.serve(b, 4);
    await a.step();
    assert.deepEqual(a.batches, [[1, 1, 1, 1], [1]]);
    await a.step();
    await swap;
    for (let i = 0; i < 4; i++) await b.step();
    const served = await Promise.all(requests.map(bench.result));
    assert.deepEqual(
      served.map(([variant]) => variant),
      ["a", "b", "b", "b"],
    );
  });

  it("fills up with whole requests while a new session waits, and waits for no others", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 2);
    bench.foresight.ran({ variant: "a", rows: 1, serviceMs: 10 });
    bench.foresight.ran({ variant: "a", rows: 2, serviceMs: 11 });
    bench.submit([1, 1, 1]);
    bench.submit([2]);
    // The same session with a time to wait: it has to take over as any other one does.
    const waiting = bench.serve(a, 2, 60_000);
    await a.step();
    assert.deepEqual(a.batches.at(-1), [1, 2]);
    await a.step();
    await waiting;
    bench.submit([3, 3, 3]);
    const swap = bench.serve(b, 2);
    await a.step();
    assert.deepEqual(a.batches.at(-1), [3]);
    await a.step();
    await swap;
  });

  it("lets no session take over that was withdrawn, or lost, while it waited", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 1);
    const first = bench.submit([1]);
    const abort = new AbortController();
    const withdrawn = bench.batcher.serve({ session: b, batch: 1, maxWaitMs: 0 }, abort.signal);
    abort.abort();
    await withdrawn;
    const bigger = bench.serve(a, 2);
    const lostMeanwhile = bench.submit([2]);
    a.onRun = () => {
      a.isLost = true;
      return { kind: "lost", reason: "crash" };
    };
    await a.step();
    await bigger;
    assert.equal(bench.batcher.serving, null);
    await bench.serve(b, 2);
    await b.step();
    await b.step();
    assert.deepEqual(await Promise.all([first, lostMeanwhile].map(bench.result)), [
      ["b", 1],
      ["b", 2],
    ]);
    assert.deepEqual([a.batches, bench.lost], [[[1]], [a]]);
  });

  it("drops work for a variant that is not served any more", async () => {
    const waiting = bench.submit([1], { variant: "a" });
    await bench.serve(new SteppedSession("b"), 1);
    assert.equal(await bench.result(waiting), "wrong_variant");
  });
});
