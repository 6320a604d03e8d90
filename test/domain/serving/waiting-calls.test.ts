import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { Call } from "../../../domain/serving/ladder.ts";
import { WaitingCalls } from "../../../domain/serving/waiting-calls.ts";

const arrivals = fc.array(
  fc.record({
    rows: fc.integer({ min: 1, max: 9 }),
    softAfterMs: fc.integer({ min: -3, max: 20 }),
    keeps: fc.boolean(),
  }),
  { minLength: 1, maxLength: 100 },
);

describe("calls that wait", () => {
  it("stand in the order of their soft deadlines, those with the same in the order of their arrival", () => {
    fc.assert(
      fc.property(arrivals, all => {
        const queue = new WaitingCalls<Call & { readonly at: number }>();
        for (const [at, { rows, softAfterMs, keeps }] of all.entries()) {
          const call = { at, rows, shape: "a", softMs: at + softAfterMs, hardMs: at + 100, variant: null };
          queue.add(call, at);
          if (keeps) continue;
          if (at % 2 === 0) assert.ok(queue.remove(call));
          else queue.take(call, call.rows, "v");
        }
        const kept = [...all.entries()].filter(([, { keeps }]) => keeps);
        const wanted = kept
          .map(([at, one]) => ({ at, softMs: at + one.softAfterMs }))
          .toSorted((a, b) => a.softMs - b.softMs);
        assert.deepEqual(
          queue.calls.map(({ at }) => at),
          wanted.map(({ at }) => at),
        );
        assert.equal(
          queue.rows,
          kept.reduce((sum, [, { rows }]) => sum + rows, 0),
        );
      }),
    );
  });

  it("let expect one as large as the largest of the last 32, and as urgent as the middle one", () => {
    fc.assert(
      fc.property(arrivals, all => {
        const queue = new WaitingCalls<Call>();
        assert.equal(queue.expectCall(0), null);
        for (const [at, { rows, softAfterMs }] of all.entries()) {
          const call = { rows, shape: "a", softMs: at + softAfterMs, hardMs: at + 100, variant: null };
          queue.add(call, at);
          queue.take(call, rows, "v");
        }
        const recent = all.slice(-32);
        const times = recent.map(one => one.softAfterMs).toSorted((a, b) => a - b);
        const rows = Math.max(...recent.map(one => one.rows));
        assert.deepEqual(queue.expectCall(7), { rows, softAfterMs: times[(times.length - 1) >>> 1], nowMs: 7 });
      }),
    );
  });

  it("wait again at their place where a batch did not serve them", () => {
    const queue = new WaitingCalls<Call>();
    const calls = [10, 20, 30].map((softMs): Call => ({ rows: 2, shape: "a", softMs, hardMs: 100, variant: null }));
    const [first, second, third] = calls as [Call, Call, Call];
    for (const one of calls) queue.add(one, 0);
    queue.take(first, 2, "v");
    queue.take(second, 1, "v");
    queue.giveBack(second, 1);
    queue.giveBack(first, 2);
    assert.deepEqual(queue.calls, [first, second, third]);
    assert.equal(queue.rows, 6);
  });
});
