import assert from "node:assert/strict";
import fc from "fast-check";
import { beforeEach, describe, it } from "mocha";
import { chooseBatch } from "../../../domain/serving/choose-batch.ts";
import {
  createKeys,
  findLimit,
  KeptRungs,
  type Key,
  keepAtMost,
  MOST_KEYS,
} from "../../../domain/serving/kept-rungs.ts";
import { type Call, createRung, type Ladder, type Rung } from "../../../domain/serving/ladder.ts";
import { findHopeless } from "../../../domain/serving/refusals.ts";
import { WaitingCalls } from "../../../domain/serving/waiting-calls.ts";

const CAMERA: Key = { text: "sequence camera-1", ttlMs: 2000 };

describe("the rungs that keys keep", () => {
  let nowMs: number;
  let rungs: KeptRungs;

  beforeEach(() => {
    nowMs = 0;
    rungs = new KeptRungs(() => nowMs);
  });

  /** A call with these keys comes, and is served by this variant; gives the limit that it had. */
  const serve = (variant: string, ...keys: readonly Key[]): string | null => {
    const kept = rungs.find(keys);
    const limit = findLimit(kept);
    rungs.settle(kept, limit, variant);
    return limit;
  };

  it("hold for their time from when they were chosen, however often the key comes", () => {
    assert.equal(serve("heavy", CAMERA), null);
    for (nowMs = 500; nowMs < 2000; nowMs += 500) assert.equal(serve("heavy", CAMERA), "heavy");
    nowMs = 2000;
    assert.equal(serve("light", CAMERA), null);
    nowMs = 3999;
    assert.equal(serve("light", CAMERA), "light");
    nowMs = 4000;
    assert.equal(serve("heavy", CAMERA), null);
  });

  it("of a sequence are not forgotten for the ids of requests, which may be as many", () => {
    serve("heavy", CAMERA);
    for (let i = 0; i <= MOST_KEYS; i++) serve("light", ...createKeys(`r-${i}`, null));
    assert.equal(serve("heavy", CAMERA), "heavy");
  });

  it("go lighter where the rule has to, and stay so for their time", () => {
    serve("heavy", CAMERA);
    nowMs = 1500;
    assert.equal(serve("light", CAMERA), "heavy");
    nowMs = 3499;
    assert.equal(serve("light", CAMERA), "light");
    nowMs = 3500;
    assert.equal(serve("heavy", CAMERA), null);
  });

  it("are shared by calls that wait at the same time", () => {
    const [first, second] = [rungs.find([CAMERA]), rungs.find([CAMERA])];
    rungs.settle(first, findLimit(first), "light");
    assert.equal(findLimit(second), "light");
    // It was on its way before anything was chosen, and what was chosen first holds.
    rungs.settle(second, null, "heavy");
    assert.equal(serve("light", CAMERA), "light");
  });

  it("are chosen again for one call, while the others keep them until that one is served, or for a second", () => {
    serve("light", CAMERA);
    nowMs = 2000;
    const chosenAgain = rungs.find([CAMERA]);
    assert.equal(findLimit(chosenAgain), null);
    assert.equal(serve("light", CAMERA), "light");
    rungs.settle(chosenAgain, null, "heavy");
    assert.equal(serve("heavy", CAMERA), "heavy");
    nowMs = 4000;
    assert.equal(findLimit(rungs.find([CAMERA])), null, "and is never served");
    nowMs = 4999;
    assert.equal(findLimit(rungs.find([CAMERA])), "heavy");
    nowMs = 5000;
    assert.equal(findLimit(rungs.find([CAMERA])), null);
  });

  it("count in the order request, sequence, others, and all remember what was chosen first", () => {
    const sticky: Key = { text: "sticky ann", ttlMs: 60_000 };
    assert.deepEqual(
      createKeys("r-1", "camera-1").map(({ text }) => text),
      ["request r-1", "sequence camera-1"],
    );
    assert.deepEqual([createKeys(null, null), createKeys("", "")], [[], []]);
    serve("light", ...createKeys(null, "camera-1"), sticky);
    serve("heavy", ...createKeys("r-1", null));
    assert.equal(serve("heavy", ...createKeys("r-1", "camera-1"), sticky), "heavy");
    assert.equal(
      serve("light", ...createKeys("r-2", "camera-1"), sticky),
      "light",
      "is not what a retry was served by",
    );
    nowMs = 29_999;
    assert.equal(serve("light", ...createKeys("r-2", null)), "light");
    assert.equal(serve("light", sticky), "light");
    nowMs = 30_000;
    assert.equal(serve("heavy", ...createKeys("r-2", null)), null);
  });

  it("are not remembered where the caller has said what it keeps", () => {
    const kept = keepAtMost("middle");
    assert.equal(findLimit(kept), "middle");
    rungs.settle(kept, "middle", "light");
    assert.equal(findLimit(kept), "middle");
  });

  it("are of a bounded number of keys, those that came last", () => {
    const key = (i: number): Key => ({ text: `request ${i}`, ttlMs: 30_000 });
    for (let i = 0; i < MOST_KEYS; i += 1) serve("light", key(i));
    assert.equal(serve("light", key(0)), "light");
    serve("light", key(MOST_KEYS));
    assert.equal(serve("light", key(0)), "light");
    assert.equal(serve("light", key(1)), null);
  });
});

const [heavy, middle, light] = [
  ["heavy", 40],
  ["middle", 20],
  ["light", 5],
].map(([variant, latencyMs]) =>
  createRung(String(variant), { points: [1, 2].map(batch => ({ batch, latencyMs: Number(latencyMs) })) }, 2),
) as [Rung, Rung, Rung];
const LADDER: Ladder = { rungs: [heavy, middle, light], others: [] };

function call(softMs: number, limit: string | null = null, fields: Partial<Call> = {}): Call {
  return { rows: 1, shape: "a", softMs, hardMs: 2 * softMs, variant: null, kept: [{ variant: limit }], ...fields };
}

const choose = (ladder: Ladder, ...calls: readonly Call[]): readonly [string, number] => {
  const { rung, rows } = chooseBatch(ladder, calls, 0, null);
  return [rung.variant, rows];
};

describe("the choice of a batch with kept rungs", () => {
  it("is the kept rung as long as that is no more accurate than the chosen one", () => {
    assert.deepEqual(choose(LADDER, call(100)), ["heavy", 1]);
    assert.deepEqual(choose(LADDER, call(100, "middle")), ["middle", 1]);
    assert.deepEqual(choose(LADDER, call(30, "heavy")), ["middle", 1]);
    assert.deepEqual(choose(LADDER, call(30, "middle")), ["middle", 1]);
    assert.deepEqual(choose(LADDER, call(10, "middle")), ["light", 1]);
  });

  it("does not look at a rung that does not serve now", () => {
    assert.deepEqual(choose({ rungs: [middle, light], others: [heavy] }, call(100, "heavy")), ["middle", 1]);
    assert.deepEqual(choose({ rungs: [heavy, middle], others: [light] }, call(100, "light")), ["heavy", 1]);
    assert.deepEqual(choose(LADDER, call(100, "gone")), ["heavy", 1]);
  });

  it("joins calls that come to the same rung, whatever they keep", () => {
    assert.deepEqual(choose(LADDER, call(30, "heavy"), call(31, "middle")), ["middle", 2]);
    assert.deepEqual(choose(LADDER, call(30, "heavy"), call(31, "light")), ["middle", 1]);
  });

  it("leaves more time to the others", () => {
    // By itself the second one has no time for anything heavier than `middle`.
    assert.deepEqual(choose(LADDER, call(50), call(50, null, { shape: "b" })), ["middle", 1]);
    assert.deepEqual(choose(LADDER, call(50), call(50, "light", { shape: "b" })), ["heavy", 1]);
  });

  it("has a call that is asked for, or half served, go by that alone", () => {
    assert.deepEqual(choose(LADDER, call(100, "light", { variant: "heavy", isBound: true })), ["heavy", 1]);
    assert.deepEqual(choose(LADDER, call(100, "light", { variant: "middle", rows: 2 })), ["middle", 2]);
  });

  const ladders: fc.Arbitrary<Ladder> = fc
    .array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 })
    .map(steps => {
      let rowMs = 1;
      const rungs = steps.map((slower, at) => {
        rowMs *= slower;
        const points = [1, 2, 4, 8].map(batch => ({ batch, latencyMs: rowMs * (0.5 + 0.5 * batch) }));
        return createRung(`v${at}`, { points }, 8 - at);
      });
      return { rungs: rungs.toReversed(), others: [] };
    });
  const waiting: fc.Arbitrary<readonly Call[]> = fc
    .array(
      fc.record({
        rows: fc.integer({ min: 1, max: 12 }),
        softMs: fc.double({ min: 0, max: 120, noNaN: true }),
        moreMs: fc.double({ min: 0, max: 60, noNaN: true }),
        limit: fc.constantFrom(null, "v0", "v1", "v2", "v3", "v4"),
      }),
      { minLength: 1, maxLength: 12 },
    )
    .map(calls =>
      calls
        .map(({ rows, softMs, moreMs, limit }) => call(softMs, limit, { rows, hardMs: softMs + moreMs }))
        .toSorted((a, b) => a.softMs - b.softMs),
    );

  /** Serves calls that are all there at 0, with exact times; gives how many were late or refused. */
  const countMisses = (ladder: Ladder, calls: readonly Call[]): number => {
    const queue = new WaitingCalls<Call>();
    for (const one of calls) queue.add({ ...one }, 0);
    let nowMs = 0;
    let misses = 0;
    for (;;) {
      for (const one of findHopeless(ladder, queue.calls, nowMs)) {
        queue.remove(one);
        misses += 1;
      }
      if (queue.calls.length === 0) return misses;
      const batch = chooseBatch(ladder, queue.calls, nowMs, null);
      nowMs += batch.rung.batchMs[batch.rows] as number;
      for (const { call: one, rows } of batch.parts) {
        const limitAt = ladder.rungs.findIndex(({ variant }) => variant === findLimit(one.kept ?? []));
        if (one.variant === null) assert.ok(ladder.rungs.indexOf(batch.rung) >= limitAt, "nothing more accurate");
        queue.take(one, rows, batch.rung.variant);
        if (one.rows === 0 && nowMs > one.hardMs) misses += 1;
      }
    }
  };

  it("makes nobody late that the floor alone would not have, and serves by nothing more accurate than what is kept", () => {
    fc.assert(
      fc.property(ladders, waiting, (ladder, calls) => {
        const byFloor = countMisses({ rungs: ladder.rungs.slice(-1), others: [] }, calls);
        assert.ok(countMisses(ladder, calls) <= byFloor);
      }),
      { numRuns: 2000 },
    );
  });
});
