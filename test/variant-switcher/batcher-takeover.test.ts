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

  it("lets a new session take over between batches, and the old one end the request that it has begun", async () => {
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
    await swap;
    assert.deepEqual(a.batches.at(-1), [3]);
    await a.step();
    await b.step();
    assert.deepEqual(await Promise.all([first, second].map(bench.result)), [
      ["a", 1, 2, 3],
      ["b", 4],
    ]);
  });

  it("serves the other rows of a request by the new session where the old one is gone", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 2);
    const spread = bench.submit([1, 2, 3]);
    const swap = bench.serve(b, 2);
    bench.residents.delete("a");
    await a.step();
    await swap;
    await b.step();
    assert.deepEqual(await bench.shares(spread), "a=2,b=1");
    assert.deepEqual(await bench.result(spread), ["a", 1, 2, 3]);
  });

  it("lets no session take over that was withdrawn, or lost, while it waited", async () => {
    const [a, b] = [new SteppedSession("a"), new SteppedSession("b")];
    await bench.serve(a, 1);
    const first = bench.submit([1]);
    const abort = new AbortController();
    const withdrawn = bench.batcher.serve({ session: b, batch: 1, lighter: [] }, abort.signal);
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
