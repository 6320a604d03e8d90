import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createStatistics } from "../../variant-switcher/statistics.ts";
import { BatcherBench } from "../support/batcher-bench.ts";
import { SteppedSession } from "../support/stepped-session.ts";

describe("Batcher, with a ladder", () => {
  let bench: BatcherBench;
  let heavy: SteppedSession;
  let light: SteppedSession;

  beforeEach(async () => {
    bench = new BatcherBench({ measured: { heavy: { 1: 10_000, 2: 12_000 }, light: { 1: 1000, 2: 1100, 4: 1300 } } });
    heavy = new SteppedSession("heavy");
    light = new SteppedSession("light");
    heavy.serviceMs = rows => (rows === 1 ? 10_000 : 12_000);
    light.serviceMs = rows => ({ 1: 1000, 2: 1100, 3: 1200 })[rows] ?? 1300;
    await bench.serve(heavy, 2, [[light, 4]]);
  });
  afterEach(() => bench.close());

  it("serves by the most accurate rung while everybody who waits has the time", async () => {
    const tickets = [1, 2, 3].map(row => bench.submit([row]));
    for (let i = 0; i < 2; i++) await heavy.step();
    assert.deepEqual([heavy.batches, light.batches], [[[1], [2, 3]], []]);
    assert.deepEqual(await Promise.all(tickets.map(bench.shares)), ["heavy=1", "heavy=1", "heavy=1"]);
  });

  it("serves by a lighter rung when those who wait would be late by a heavier one", async () => {
    const first = bench.submit([0]);
    const tickets = [1, 2, 3, 4].map(row => bench.submit([row], { softAfterMs: 25_000 }));
    await heavy.step();
    assert.deepEqual(light.batches, [[1, 2, 3, 4]]);
    await light.step();
    assert.deepEqual(await Promise.all([first, ...tickets].map(bench.shares)), [
      "heavy=1",
      ...Array(4).fill("light=1"),
    ]);
  });

  it("leaves room for busy neighbours where it shares their cores", async () => {
    const crowded = new BatcherBench({ measured: { heavy: { 1: 10_000 }, light: { 1: 1000 } }, crowding: 2 });
    await crowded.serve(heavy, 1, [[light, 1]]);
    const early = crowded.submit([1], { softAfterMs: 25_000 });
    await light.step();
    assert.deepEqual(await crowded.shares(early), "light=1");
    crowded.close();
  });

  it("serves by the floor what no rung could serve by its soft deadline, and refuses only what even the floor can't", async () => {
    bench.submit([0]);
    const late = bench.submit([1], { softAfterMs: 500 });
    const hopeless = bench.submit([2], { timeoutMs: 10_500 });
    assert.equal(await bench.result(hopeless), "would_be_late");
    await heavy.step();
    await light.step();
    assert.deepEqual(await bench.result(late), ["light", 1]);
  });

  it("chooses ahead only as often as a backlog doubles, while that is for another rung", async () => {
    const measured = { heavy: { 1: 10_000 }, light: { 1: 1000 } };
    const wide = new BatcherBench({ measured, maxRows: 5000, maxBytes: 5000 });
    await wide.serve(heavy, 1, [[light, 1]]);
    let choices = 0;
    const { times } = wide;
    const findLongestDelayMs = times.findLongestDelayMs.bind(times);
    times.findLongestDelayMs = softAfterMs => {
      choices += 1;
      return findLongestDelayMs(softAfterMs);
    };
    wide.submit([0]);
    for (let i = 1; i <= 500; i++) wide.submit([i % 200], { softAfterMs: 15_000, timeoutMs: 10_000_000 });
    assert.ok(choices <= 10, `${choices} choices`);
    await heavy.step();
    assert.deepEqual([heavy.batches, light.batches[0]], [[[0]], [1]]);
    wide.close();
  });

  it("looks less often for hopeless calls the more wait, so that an arrival costs no more", async () => {
    const wide = new BatcherBench({ measured: { light: { 1: 1000 } }, maxRows: 5000, maxBytes: 5000 });
    const session = new SteppedSession("light");
    await wide.serve(session, 1);
    let looks = 0;
    const { times } = wide;
    const usualDelayMs = times.usualDelayMs;
    Object.defineProperty(times, "usualDelayMs", {
      get: () => {
        looks += 1;
        return usualDelayMs;
      },
    });
    const submit = (count: number): number => {
      const before = looks;
      for (let i = 0; i < count; i++) wide.submit([1], { timeoutMs: 1e9 });
      return looks - before;
    };
    assert.ok(submit(100) >= 99);
    submit(3900);
    assert.ok(submit(160) <= 10);
    wide.close();
  });

  it("lets a call keep its rung for its other rows", async () => {
    const spread = bench.submit([1, 2, 3], { softAfterMs: 59_000 });
    const others = [4, 5, 6, 7].map(row => bench.submit([row], { softAfterMs: 59_900 }));
    await heavy.step();
    for (let i = 0; i < 3; i++) {
      await heavy.step();
      await light.step();
    }
    assert.deepEqual(await bench.shares(spread), "heavy=3");
    await Promise.all(others.map(bench.result));
  });

  it("goes on with a lighter rung where its own would break the hard deadline, and says so", async () => {
    heavy.serviceMs = () => 40_000;
    const spread = bench.submit([1, 2, 3, 4, 5, 6], { timeoutMs: 75_000 });
    await heavy.step();
    await light.step();
    assert.deepEqual([heavy.batches, light.batches], [[[1, 2]], [[3, 4, 5, 6]]]);
    assert.deepEqual(await bench.shares(spread), "heavy=2,light=4");
    assert.deepEqual(await bench.result(spread), ["light", 1, 2, 3, 4, 5, 6]);
  });

  it("counts the rows of a mixed request for the variants that served them, and the request for that of most", async () => {
    heavy.serviceMs = () => 40_000;
    const spread = bench.submit([1, 2, 3, 4, 5, 6], { timeoutMs: 75_000 });
    await heavy.step();
    await light.step();
    // The heavy one would have broken the hard deadline for the rows that were left.
    assert.deepEqual(await bench.choice(spread, 75_000), ["light", "late", true]);
    const seen = ["heavy", "light"].map(variant => {
      const { inferenceCount, executionCount, inferenceStats, batchStats, lastInference } = createStatistics(
        "echo",
        variant,
        bench.counters.find(variant),
      );
      const batches = batchStats?.map(({ batchSize, computeInfer }) => [batchSize, computeInfer?.count]);
      return [inferenceCount, executionCount, batches, inferenceStats?.success?.count, Number(lastInference) > 0];
    });
    assert.deepEqual(seen, [
      [2, 1, [[2, 1]], 0, true],
      [4, 1, [[4, 1]], 1, true],
    ]);
    assert.deepEqual([bench.counters.servedRows, bench.counters.servedRequests], [6, 1]);
  });

  it("says and counts why no heavier rung served, also where one is not in memory", async () => {
    const middle = new SteppedSession("middle");
    const choices: unknown[] = [];
    const serve = async (by: SteppedSession, softAfterMs: number, more = {}): Promise<void> => {
      const ticket = bench.submit([1], { softAfterMs, ...more });
      await by.step();
      choices.push(await bench.choice(ticket, softAfterMs));
    };
    await serve(heavy, 50_000);
    await serve(light, 5000);
    await serve(light, 50_000, { variant: "light" });
    await serve(light, 50_000, { keeps: { atMost: "light" } });
    await bench.serve(heavy, 2, [
      [middle, 2],
      [light, 4],
    ]);
    bench.residents.delete("middle");
    await serve(light, 5000);
    bench.heavierVariant = "exact";
    await serve(heavy, 50_000);
    bench.residents.set("exact", new SteppedSession("exact"));
    await serve(heavy, 50_000);
    assert.deepEqual(choices, [
      ["heavy", "top", true],
      ["light", "late", true],
      ["light", "asked", true],
      ["light", "kept", true],
      ["light", "not_in_memory", true],
      ["heavy", "not_in_memory", true],
      ["heavy", "top", true],
    ]);
    const counted = ["heavy", "light"].map(variant => [...bench.counters.find(variant).batchesByReason]);
    assert.deepEqual(counted, [
      [
        ["top", 2],
        ["not_in_memory", 1],
      ],
      [
        ["late", 1],
        ["asked", 1],
        ["kept", 1],
        ["not_in_memory", 1],
      ],
    ]);
  });

  it("serves all rows anew where variants give outputs of different sizes", async () => {
    light.onRun = rows => {
      const bytes = Uint8Array.from(rows.flatMap(row => [row, row]));
      return {
        kind: "ran",
        outputs: [{ name: "y", datatype: "UINT8", shape: [rows.length, 2], bytes }],
        spare: [],
        serviceMs: 1100,
      };
    };
    heavy.serviceMs = () => 40_000;
    const spread = bench.submit([1, 2, 3, 4, 5, 6], { timeoutMs: 75_000 });
    await heavy.step();
    for (let i = 0; i < 3; i++) await light.step();
    assert.deepEqual(
      [heavy.batches, light.batches],
      [
        [[1, 2]],
        [
          [3, 4, 5, 6],
          [1, 2, 3, 4],
          [5, 6],
        ],
      ],
    );
    assert.deepEqual(await bench.result(spread), ["light", 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]);
  });

  it("serves by the variant that a call asks for, also above the top, and refuses one that is not in memory", async () => {
    const exact = new SteppedSession("exact");
    bench.residents.set("exact", exact);
    const above = bench.submit([1], { variant: "exact" });
    assert.deepEqual(exact.batches, [[1]]);
    await exact.step();
    assert.deepEqual(await bench.result(above), ["exact", 1]);
    assert.equal(await bench.result(bench.submit([2], { variant: "gone" })), "wrong_variant");
    assert.deepEqual([bench.batcher.canServe("exact"), bench.batcher.canServe("gone")], [true, false]);
  });

  it("serves by no other variant than the one that a call asks for, and refuses it where that would be late", async () => {
    const alone = bench.submit([1], { variant: "heavy", timeoutMs: 5000 });
    const behind = bench.submit([2], { variant: "heavy", timeoutMs: 15_000 });
    assert.equal(await bench.result(behind), "would_be_late");
    await heavy.step();
    assert.deepEqual(await bench.result(alone), ["heavy", 1]);
    assert.deepEqual(light.batches, []);
  });

  it("lets later calls with a key keep the rung that was chosen for the first, and go lighter where that would be late", async () => {
    const keeps = { keys: [{ text: "camera-1", ttlMs: 60_000 }] };
    const first = bench.submit([1], { keeps });
    const second = bench.submit([2], { keeps, softAfterMs: 5000 });
    await heavy.step();
    await light.step();
    const [third, other] = [bench.submit([3], { keeps }), bench.submit([4])];
    await light.step();
    await heavy.step();
    const shares = await Promise.all([first, second, third, other].map(bench.shares));
    assert.deepEqual(shares, ["heavy=1", "light=1", "light=1", "heavy=1"]);
  });

  it("serves a call by nothing more accurate than what its caller says that it keeps", async () => {
    const ticket = bench.submit([1], { keeps: { atMost: "light" } });
    await light.step();
    assert.deepEqual(await bench.result(ticket), ["light", 1]);
    const asked = bench.submit([2], { keeps: { atMost: "light" }, variant: "heavy" });
    await heavy.step();
    assert.deepEqual(await bench.result(asked), ["heavy", 2]);
  });

  it("refuses a variant below the floor although it is in memory, also to who waits for it already", async () => {
    bench.submit([0]);
    const waiting = bench.submit([1], { variant: "light" });
    bench.belowFloor = ["light"];
    assert.equal(await bench.result(bench.submit([2], { variant: "light" })), "wrong_variant");
    assert.deepEqual([bench.batcher.canServe("light"), bench.batcher.canServe("heavy")], [false, true]);
    await heavy.step();
    assert.equal(await bench.result(waiting), "wrong_variant");
    assert.deepEqual(light.batches, []);
  });

  it("counts in shadow what the ladder would choose, and serves by the top alone", async () => {
    await bench.serve(heavy, 2);
    bench.shadowRungs = [{ variant: "light", maxBatch: 4 }];
    const tickets = [bench.submit([1])];
    for (const row of [2, 3]) tickets.push(bench.submit([row], { softAfterMs: 500 }));
    await heavy.step();
    await heavy.step();
    assert.deepEqual([heavy.batches, light.batches], [[[1], [2, 3]], []]);
    assert.deepEqual(await Promise.all(tickets.map(bench.shares)), ["heavy=1", "heavy=1", "heavy=1"]);
    assert.deepEqual(bench.shadowed, ["heavy=1", "light=2"]);
    bench.shadowRungs = [];
    bench.submit([4], { softAfterMs: 500 });
    await heavy.step();
    assert.equal(bench.shadowed.length, 2);
  });

  it("goes on with the next lighter rung when the one at the top is lost", async () => {
    const ticket = bench.submit([1]);
    heavy.onRun = () => {
      heavy.isLost = true;
      return { kind: "lost", reason: "crash" };
    };
    await heavy.step();
    assert.equal(bench.batcher.serving?.session, light);
    await light.step();
    assert.deepEqual(await bench.result(ticket), ["light", 1]);
    assert.deepEqual(bench.lost, [heavy]);
  });

  it("does without a lighter rung that is lost", async () => {
    light.onRun = () => {
      light.isLost = true;
      return { kind: "lost", reason: "crash" };
    };
    bench.submit([0]);
    const ticket = bench.submit([1], { softAfterMs: 500 });
    await heavy.step();
    await light.step();
    assert.equal(bench.batcher.serving?.session, heavy);
    await heavy.step();
    assert.deepEqual(await bench.result(ticket), ["heavy", 1]);
  });

  it("hands a batch over ahead only to the session that runs", async () => {
    for (const row of [0, 1]) bench.submit([row, row]);
    assert.deepEqual(heavy.batches, [
      [0, 0],
      [1, 1],
    ]);
    for (const row of [2, 3, 4, 5, 6, 7]) bench.submit([row], { softAfterMs: 26_500 });
    await heavy.step();
    assert.deepEqual(light.batches, []);
    await heavy.step();
    assert.deepEqual(light.batches, [[2, 3, 4, 5]]);
    for (let i = 0; i < 2; i++) await light.step();
  });

  it("has a new top serve at once, while the old one ends the calls that it has begun", async () => {
    const begun = bench.submit([1, 2, 3]);
    const next = bench.submit([4]);
    const swap = bench.serve(light, 4);
    await heavy.step();
    await swap;
    await heavy.step();
    await light.step();
    assert.deepEqual(await Promise.all([begun, next].map(bench.shares)), ["heavy=3", "light=1"]);
  });
});
