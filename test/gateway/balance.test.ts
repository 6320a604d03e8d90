import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { chooseOfTwo, splitRows } from "../../gateway/balance.ts";
import { seededRandom } from "../../load/seeded-random.ts";

const load = (outstandingRows: number, rowMs: number) => ({ outstandingRows, rowMs });

describe("chooseOfTwo()", () => {
  it("takes the one of two that is done sooner with the rows that it has", () => {
    const [slow, fast] = [load(1, 20), load(6, 3)];
    for (let seed = 1; seed < 20; seed++) assert.equal(chooseOfTwo([slow, fast], seededRandom(seed)), fast);
    const busy = load(7, 3);
    for (let seed = 1; seed < 20; seed++) assert.equal(chooseOfTwo([slow, busy], seededRandom(seed)), slow);
  });

  it("takes one that has nothing to do, however slow it is", () => {
    const idle = load(0, 1000);
    for (let seed = 1; seed < 20; seed++) assert.equal(chooseOfTwo([idle, load(1, 1)], seededRandom(seed)), idle);
  });

  it("is the only one, and null without replicas", () => {
    const only = load(5, 1);
    assert.equal(chooseOfTwo([only], Math.random), only);
    assert.equal(chooseOfTwo([], Math.random), null);
  });

  it("looks at two different ones: never the busiest, and the others as often as two of them meet", () => {
    const replicas = [load(1, 1), load(2, 1), load(3, 1), load(4, 1)];
    const counts = replicas.map(() => 0);
    const random = seededRandom(1);
    for (let i = 0; i < 6000; i++) {
      const at = replicas.indexOf(chooseOfTwo(replicas, random) ?? load(0, 0));
      counts[at] = (counts[at] ?? 0) + 1;
    }
    assert.equal(counts[3], 0);
    for (const [at, expected] of [3000, 2000, 1000].entries())
      assert.ok(Math.abs((counts[at] ?? 0) - expected) < 200, String(counts));
  });

  it("breaks ties evenly", () => {
    const replicas = [load(1, 2), load(2, 1), load(4, 0.5)];
    const random = seededRandom(2);
    const counts = replicas.map(() => 0);
    for (let i = 0; i < 6000; i++) {
      const at = replicas.indexOf(chooseOfTwo(replicas, random) ?? load(0, 0));
      counts[at] = (counts[at] ?? 0) + 1;
    }
    for (const count of counts) assert.ok(Math.abs(count - 2000) < 200, String(counts));
  });
});

describe("splitRows()", () => {
  const countRows = (rows: number, replicas: readonly ReturnType<typeof load>[]) =>
    splitRows(rows, replicas, seededRandom(1)).map(call => call.rows);

  it("spreads rows evenly over idle replicas, but puts 2 ms of work into a call", () => {
    const idle = (count: number, rowMs: number) => Array.from({ length: count }, () => load(0, rowMs));
    assert.deepEqual(countRows(18, idle(9, 5)), [2, 2, 2, 2, 2, 2, 2, 2, 2]);
    assert.deepEqual(countRows(18, idle(9, 0.5)), [4, 4, 4, 3, 3]);
    assert.deepEqual(countRows(3, idle(9, 0.5)), [3], "3 rows are not worth two calls");
    assert.deepEqual(countRows(3, idle(9, 5)), [1, 1, 1]);
    assert.deepEqual(countRows(3, []), []);
  });

  it("makes calls that end together, by the rows that replicas have and their times for a row", () => {
    const [idle, busy, slow] = [load(0, 2), load(6, 2), load(0, 8)];
    const calls = splitRows(15, [idle, busy, slow], seededRandom(1));
    const rowsFor = (replica: typeof idle) => calls.find(call => call.replica === replica)?.rows;
    // 20 ms: 10 rows, 4 after the 6 that wait, and hardly more than 2.
    assert.deepEqual([rowsFor(idle), rowsFor(busy), rowsFor(slow)], [10, 3, 2]);
  });

  it("makes no call to a replica that would be done only after the others", () => {
    const [idle, drowned] = [load(0, 2), load(100, 2)];
    assert.deepEqual(splitRows(8, [drowned, idle], seededRandom(1)), [{ replica: idle, rows: 8 }]);
  });

  it("sends every row once, to replicas that differ, and no call ends a row later than it must", () => {
    const replica = fc.record({
      outstandingRows: fc.double({ min: 0, max: 200, noNaN: true }),
      rowMs: fc.double({ min: 0.01, max: 200, noNaN: true }),
    });
    const property = fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.array(replica, { minLength: 1, maxLength: 12 }),
      fc.integer(),
      (rows, replicas, seed) => {
        const calls = splitRows(rows, replicas, seededRandom(seed));
        assert.equal(
          calls.reduce((sum, call) => sum + call.rows, 0),
          rows,
        );
        assert.ok(calls.every(call => call.rows >= 1 && Number.isInteger(call.rows)));
        assert.equal(new Set(calls.map(call => call.replica)).size, calls.length);
        const endMs = (call: (typeof calls)[number], more: number) =>
          (call.replica.outstandingRows + call.rows + more) * call.replica.rowMs;
        const soonestWithMore = Math.min(...calls.map(call => endMs(call, 1)));
        for (const call of calls) assert.ok(endMs(call, 0) <= soonestWithMore + 1e-6);
      },
    );
    fc.assert(property);
  });
});
