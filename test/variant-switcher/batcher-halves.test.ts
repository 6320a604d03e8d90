import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { Halving } from "../../variant-switcher/halving.ts";
import { createEntry, WorkQueue } from "../../variant-switcher/work-queue.ts";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, that halves batches", () => {
  let bench: BatcherBench;
  let session: SteppedSession;

  beforeEach(() => {
    bench = new BatcherBench();
    session = new SteppedSession("a");
  });
  afterEach(() => bench.close());

  /** What batches of so many rows took, and take. */
  function took(serviceMs: Readonly<Record<number, number>>): void {
    session.serviceMs = rows => serviceMs[rows] ?? 10 * rows;
    for (const [rows, ms] of Object.entries(serviceMs))
      bench.foresight.ran({ variant: "a", rows: Number(rows), serviceMs: ms });
  }

  /** The batches after the first one, behind which these requests came. */
  async function batchesOf(
    batch: number,
    requests: readonly (readonly number[])[],
    maxWaitMs = 0,
  ): Promise<number[][]> {
    await bench.serve(session, batch, maxWaitMs);
    const tickets = [[0, ...Array(batch - 1).fill(0)], ...requests].map(rows => bench.submit(rows));
    for (let i = 0; i < 12; i++) await session.step();
    const served = await Promise.all(tickets.slice(1).map(bench.result));
    assert.deepEqual(
      served,
      requests.map(rows => ["a", ...rows]),
    );
    return session.batches.slice(1);
  }

  const single = (count: number): number[][] => Array.from({ length: count }, (_, i) => [i + 1]);

  it("answers half of a full batch first where that costs nothing", async () => {
    took({ 2: 20, 4: 40 });
    assert.deepEqual(await batchesOf(4, single(4)), [
      [1, 2],
      [3, 4],
    ]);
  });

  it("makes the first half of an odd number the larger one", async () => {
    took({ 2: 20, 3: 30, 5: 50 });
    assert.deepEqual(await batchesOf(5, single(5)), [
      [1, 2, 3],
      [4, 5],
    ]);
  });

  it("keeps batches whole that are cheaper whole", async () => {
    took({ 2: 22, 4: 40 });
    assert.deepEqual(await batchesOf(4, single(4)), [[1, 2, 3, 4]]);
  });

  it("counts what a batch costs beside its service", async () => {
    took({ 2: 0.2, 4: 0.4 });
    assert.deepEqual(await batchesOf(4, single(4)), [[1, 2, 3, 4]]);
  });

  it("keeps batches whole of which nothing is known", async () => {
    assert.deepEqual(await batchesOf(4, single(4)), [[1, 2, 3, 4]]);
  });

  it("keeps batches whole, unless that costs more, while another full one waits", async () => {
    took({ 2: 20, 4: 40 });
    // The first half is handed over ahead, before there are more.
    assert.deepEqual(await batchesOf(4, single(14)), [
      [1, 2],
      [3, 4, 5, 6],
      [7, 8, 9, 10],
      [11, 12],
      [13, 14],
    ]);
  });

  it("halves always where the halves take less time than the whole", async () => {
    took({ 2: 19, 4: 40 });
    const pairs = Array.from({ length: 7 }, (_, i) => [2 * i + 1, 2 * i + 2]);
    assert.deepEqual(await batchesOf(4, single(14)), pairs);
  });

  it("does not halve what is less than a full batch", async () => {
    took({ 1: 10, 2: 20, 3: 30, 4: 40 });
    assert.deepEqual(await batchesOf(4, single(3)), [[1, 2, 3]]);
  });

  it("keeps batches whole that are waited for", async () => {
    took({ 1: 20, 2: 20, 4: 40 });
    assert.deepEqual(await batchesOf(4, single(4), 1000), [[1, 2, 3, 4]]);
  });

  it("halves also where the Assignment has a wait that does not pay", async () => {
    took({ 1: 10, 2: 20, 4: 40 });
    assert.deepEqual(await batchesOf(4, single(4), 1000), [
      [1, 2],
      [3, 4],
    ]);
  });

  it("cuts no request for it", async () => {
    took({ 2: 20, 4: 40 });
    assert.deepEqual(await batchesOf(4, [[1], [2, 3], [4]]), [[1, 2, 3, 4]]);
  });

  it("halves between requests of several rows", async () => {
    took({ 2: 20, 4: 40 });
    assert.deepEqual(
      await batchesOf(4, [
        [1, 2],
        [3, 4],
      ]),
      [
        [1, 2],
        [3, 4],
      ],
    );
  });

  it("does not halve rows that would fill a batch, but may not share it", async () => {
    took({ 1: 10, 2: 20, 3: 30, 4: 40 });
    await bench.serve(session, 4);
    const tickets = [bench.submit([0, 0, 0, 0])];
    for (const row of [1, 2, 3]) tickets.push(bench.submit([row]));
    tickets.push(bench.submit([4], { width: 2 }));
    for (let i = 0; i < 5; i++) await session.step();
    await Promise.all(tickets.map(bench.result));
    assert.deepEqual(session.batches.slice(1), [[1, 2, 3], [4]]);
  });

  it("hands the second half over ahead, as it would the whole", async () => {
    took({ 2: 20, 4: 40 });
    await bench.serve(session, 4);
    const tickets = [[0, 0, 0, 0], [1], [2], [3], [4]].map(rows => bench.submit(rows));
    assert.deepEqual(session.batches.slice(1), [[1, 2]]);
    await session.step();
    assert.deepEqual(session.batches.slice(2), [[3, 4]]);
    for (let i = 0; i < 2; i++) await session.step();
    await Promise.all(tickets.map(bench.result));
  });

  it("halves also after work was refused for another reason", async () => {
    took({ 2: 20, 4: 40 });
    bench.refusal = "it drains";
    assert.equal(await bench.result(bench.submit([9])), "not_ready");
    bench.refusal = null;
    assert.deepEqual(await batchesOf(4, single(4)), [
      [1, 2],
      [3, 4],
    ]);
  });

  it("keeps batches whole after too much work came", async () => {
    took({ 2: 20, 4: 40 });
    await bench.serve(session, 4);
    const tickets = [bench.submit([0, 0, 0, 0])];
    const late = bench.submit([9], { timeoutMs: 1 });
    assert.equal(await bench.result(late), "would_be_late");
    for (const row of [1, 2, 3, 4]) tickets.push(bench.submit([row]));
    for (let i = 0; i < 3; i++) await session.step();
    await Promise.all(tickets.map(bench.result));
    assert.deepEqual(session.batches.slice(1), [[1, 2, 3, 4]]);
  });

  /** Of so many batches, behind each of which nothing waits, which ones are whole. */
  function wholeOnes(halving: Halving, batches: number): number[] {
    const whole: number[] = [];
    for (let i = 0; i < batches; i++) {
      const queue = new WorkQueue({ maxRows: 100, maxBytes: 100 });
      const work = { rows: 1, inputs: [], shapeKey: "", variant: null, deadlineMs: Number.POSITIVE_INFINITY };
      for (let row = 0; row < 4; row++) queue.add(createEntry(work, 1, () => undefined));
      const serving = { session, batch: 4, maxWaitMs: 0 };
      const take = (): number =>
        halving.take(queue, serving, "any", () => assert.fail("nothing is refused here"))?.rows ?? 0;
      if (take() === 4) whole.push(i);
      else assert.equal(take(), 2);
    }
    return whole;
  }

  it("keeps one of many batches whole, so that what a whole one takes stays known", () => {
    took({ 2: 20, 4: 40 });
    assert.deepEqual(wholeOnes(new Halving(bench.foresight), 60), [19, 39, 59]);
  });

  it("halves again after some whole batches", () => {
    took({ 2: 20, 4: 40 });
    const halving = new Halving(bench.foresight);
    halving.refused();
    assert.deepEqual(
      wholeOnes(halving, 30),
      Array.from({ length: 20 }, (_, i) => i),
    );
  });
});
