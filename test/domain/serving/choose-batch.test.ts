import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { chooseBatch, findHopeless, findRefused } from "../../../domain/serving/choose-batch.ts";
import { type Call, createRung, type Ladder, type Rung } from "../../../domain/serving/ladder.ts";
import { WaitingCalls } from "../../../domain/serving/waiting-calls.ts";

const heavy = createRung("heavy", { points: [{ batch: 1, latencyMs: 40 }] }, 1);
const middle = createRung("middle", { points: [{ batch: 1, latencyMs: 20 }] }, 1);
const light = createRung("light", { points: [{ batch: 1, latencyMs: 5 }] }, 1);
const LADDER = createLadder(heavy, middle, light);

function createLadder(...rungs: readonly Rung[]): Ladder {
  return { rungs, others: [] };
}

function floorAlone({ rungs }: Ladder): Ladder {
  return { rungs: rungs.slice(-1), others: [] };
}

function call(softMs: number, fields: Partial<Call> = {}): Call {
  return { rows: 1, shape: "a", softMs, hardMs: 2 * softMs, variant: null, ...fields };
}

/** Rungs whose batches take a share of their time whatever their size: two batches never take less than one of both. */
const ladders: fc.Arbitrary<Ladder> = fc
  .array(fc.record({ slower: fc.double({ min: 1, max: 3, noNaN: true }), most: fc.integer({ min: 0, max: 4 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .chain(steps =>
    fc.record({ steps: fc.constant(steps), fixed: fc.double({ min: 0, max: 1, noNaN: true }) }).map(({ fixed }) => {
      let rowMs = 1;
      let maxBatch = 8;
      const rungs: Rung[] = steps.map(({ slower, most }, at) => {
        rowMs *= slower;
        maxBatch = Math.max(1, maxBatch - most);
        const points = [1, 2, 4, 8].map(batch => ({ batch, latencyMs: rowMs * (fixed + (1 - fixed) * batch) }));
        return createRung(`v${at}`, { points }, maxBatch);
      });
      return createLadder(...rungs.toReversed());
    }),
  );

/** Rungs as careless measurements have them: any times that do not fall with the rows, and any largest batches. */
const wildLadders: fc.Arbitrary<Ladder> = fc
  .array(
    fc.record({
      ms: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 8, maxLength: 8 }),
      most: fc.integer({ min: 1, max: 8 }),
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map(rungs => {
    const measured = rungs.map(({ ms, most }, at) => {
      const points = ms.map((_, i) => ({
        batch: i + 1,
        latencyMs: ms.slice(0, i + 1).reduce((sum, more) => sum + more, 1),
      }));
      return createRung(`v${at}`, { points }, most);
    });
    return createLadder(...measured);
  });

const waiting: fc.Arbitrary<readonly Call[]> = fc
  .array(
    fc.record({
      rows: fc.integer({ min: 1, max: 12 }),
      softMs: fc.double({ min: 0, max: 120, noNaN: true }),
      moreMs: fc.double({ min: 0, max: 60, noNaN: true }),
      shape: fc.constantFrom("a", "a", "a", "b"),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map(calls =>
    calls
      .map(({ moreMs, ...one }) => ({ ...one, hardMs: one.softMs + moreMs, variant: null }))
      .toSorted((a, b) => a.softMs - b.softMs),
  );

interface Outcome {
  readonly late: number;
  readonly refused: number;
  readonly variants: readonly string[];
}

/** Serves calls that are all there at 0, with exact times. */
function serve(ladder: Ladder, calls: readonly Call[]): Outcome {
  const queue = new WaitingCalls<Call>();
  for (const one of calls) queue.add({ ...one }, 0);
  const variants: string[] = [];
  let nowMs = 0;
  let late = 0;
  let refused = 0;
  for (;;) {
    for (const one of findHopeless(ladder, queue.calls, nowMs)) {
      queue.remove(one as Call);
      refused += 1;
    }
    if (queue.calls.length === 0) return { late, refused, variants };
    const batch = chooseBatch(ladder, queue.calls, nowMs, queue.expectCall(nowMs));
    nowMs += batch.rung.batchMs[batch.rows] as number;
    variants.push(batch.rung.variant);
    for (const { call: one, rows } of batch.parts) {
      queue.take(one, rows, batch.rung.variant);
      if (one.rows === 0 && nowMs > one.hardMs) late += 1;
    }
  }
}

describe("the choice of a batch", () => {
  it("is the most accurate rung with which all that wait are in time", () => {
    const calls = [call(45), call(50)];
    assert.equal(chooseBatch(LADDER, calls.slice(0, 1), 0, null).rung.variant, "heavy");
    assert.equal(chooseBatch(LADDER, calls, 0, null).rung.variant, "middle");
    assert.equal(chooseBatch(LADDER, [...calls, call(55)], 0, null).rung.variant, "light");
  });

  it("keeps room for one more call that comes now", () => {
    const calls = [call(45)];
    const variant = (softAfterMs: number): string =>
      chooseBatch(LADDER, calls, 0, { rows: 1, softAfterMs, nowMs: 0 }).rung.variant;
    assert.equal(variant(80), "heavy");
    assert.equal(variant(79), "middle");
    // Nothing has room for it, so the lightest serves.
    assert.equal(variant(1), "light");
  });

  it("looks at when the replica is free", () => {
    assert.equal(chooseBatch(LADDER, [call(45)], 5, null).rung.variant, "heavy");
    assert.equal(chooseBatch(LADDER, [call(45)], 6, null).rung.variant, "middle");
  });

  it("joins calls of the same shape up to the rung's largest batch", () => {
    const rung = createRung("only", { points: [1, 2, 4].map(batch => ({ batch, latencyMs: 10 + batch })) }, 4);
    const calls = [call(100, { rows: 1 }), call(110, { rows: 2 }), call(120, { rows: 3 }), call(130)];
    const { rows, parts } = chooseBatch(createLadder(rung), calls, 0, null);
    assert.equal(rows, 4);
    assert.deepEqual(
      parts.map(part => part.rows),
      [1, 2, 1],
    );
  });

  it("joins calls of the same shape past those of others, as if each shape came alone", () => {
    const wide = (variant: string, ms: number): Rung =>
      createRung(variant, { points: [1, 4].map(batch => ({ batch, latencyMs: ms })) }, 4);
    const ladder = createLadder(wide("heavy", 40), wide("light", 5));
    const mixed = Array.from({ length: 8 }, (_, i) =>
      call(80 + i / 10, { shape: i % 2 === 0 ? "a" : "b", hardMs: 100 }),
    );
    const { rung, parts } = chooseBatch(ladder, mixed, 0, null);
    // Two batches of four are in time, eight of one would not be.
    assert.equal(rung.variant, "heavy");
    assert.deepEqual(
      parts.map(part => mixed.indexOf(part.call as Call)),
      [0, 2, 4, 6],
    );
    assert.equal(chooseBatch(ladder, mixed, 1, null).rung.variant, "light");
    const floor = createLadder(wide("light", 40));
    assert.deepEqual(findHopeless(floor, mixed, 20), []);
    assert.deepEqual(
      findHopeless(floor, mixed, 21),
      mixed.filter(({ shape }) => shape === "b"),
    );
  });

  it("does not let a call join that makes another one late", () => {
    const rung = createRung("only", { points: [1, 2].map(batch => ({ batch, latencyMs: 10 * batch })) }, 2);
    assert.equal(chooseBatch(createLadder(rung), [call(19), call(100)], 0, null).rows, 1);
    assert.equal(chooseBatch(createLadder(rung), [call(20), call(100)], 0, null).rows, 2);
    // The first one is past its soft deadline, so its hard one counts.
    assert.equal(chooseBatch(createLadder(rung), [call(5, { hardMs: 19 }), call(100)], 0, null).rows, 1);
    assert.equal(chooseBatch(createLadder(rung), [call(5, { hardMs: 20 }), call(100)], 0, null).rows, 2);
  });

  it("keeps the variant of a call that is half served, unless its hard deadline would break", () => {
    const half = call(30, { rows: 2, hardMs: 80, variant: "heavy" });
    assert.equal(chooseBatch(LADDER, [half], 0, null).rung.variant, "heavy");
    assert.equal(chooseBatch(LADDER, [half], 1, null).rung.variant, "light");
    // Others do not join it on a rung that was not chosen for them.
    const wide = createRung("wide", { points: [1, 2].map(batch => ({ batch, latencyMs: 40 })) }, 2);
    const kept = call(60, { variant: "wide" });
    assert.equal(chooseBatch(createLadder(wide, light), [kept, call(61)], 0, null).rows, 2);
    assert.equal(chooseBatch(createLadder(wide, light), [kept, call(61), call(70), call(70)], 0, null).rows, 1);
  });

  it("serves a call that asks for a rung above the top or below the floor by it, with others that ask for it", () => {
    const pair = (variant: string, latencyMs: number): Rung =>
      createRung(variant, { points: [1, 2, 3].map(batch => ({ batch, latencyMs })) }, 3);
    const above = pair("above", 60);
    const ladder: Ladder = { rungs: [middle, light], others: [above, pair("below", 2)] };
    const choose = (...calls: readonly Call[]): readonly [string, number] => {
      const { rung, rows } = chooseBatch(ladder, calls, 0, null);
      return [rung.variant, rows];
    };
    const asks = (softMs: number, variant: string): Call => call(softMs, { variant });
    assert.deepEqual(choose(asks(100, "above"), asks(101, "above"), call(102)), ["above", 2]);
    assert.deepEqual(choose(asks(100, "below")), ["below", 1]);
    assert.deepEqual(choose(call(100), asks(101, "above")), ["middle", 1]);
    // Those who ask for nothing are served by what leaves time for those who do.
    assert.deepEqual(choose(call(70), asks(79, "above")), ["light", 1]);
    // Its soft deadline does not count, its hard one does.
    assert.deepEqual(choose(call(30, { hardMs: 60, variant: "above" })), ["above", 1]);
    assert.deepEqual(choose(call(30, { hardMs: 59, variant: "above" })), ["light", 1]);
    // Unless no other may serve it: then it is refused behind something else.
    const bound = call(30, { hardMs: 59, variant: "above", isBound: true });
    assert.deepEqual(choose(bound), ["above", 1]);
    assert.deepEqual(findRefused(ladder, [bound, call(30)], 0, true), [bound]);
    assert.deepEqual(
      findRefused(ladder, [call(30), call(30, { hardMs: 70, variant: "above", isBound: true })], 0, true),
      [],
    );
  });

  it("serves a call by the chosen rung where the one that it has is not resident", () => {
    const ladder: Ladder = { rungs: [heavy, middle], others: [light] };
    assert.equal(chooseBatch(ladder, [call(45, { variant: "unloaded" })], 0, null).rung, heavy);
    assert.equal(chooseBatch(ladder, [call(39, { variant: "unloaded" })], 0, null).rung, middle);
  });

  it("has one answer where the ladder has one rung", () => {
    fc.assert(
      fc.property(ladders, waiting, (ladder, calls) => {
        const [only] = ladder.rungs as readonly [Rung];
        assert.ok(serve(createLadder(only), calls).variants.every(variant => variant === only.variant));
      }),
    );
  });

  it("misses nothing that the floor alone would not have missed", () => {
    fc.assert(
      fc.property(fc.oneof(ladders, wildLadders), waiting, (ladder, calls) => {
        const ours = serve(ladder, calls);
        const byFloor = serve(floorAlone(ladder), calls);
        assert.ok(ours.late + ours.refused <= byFloor.late + byFloor.refused);
        assert.equal(byFloor.late, 0);
      }),
      { numRuns: 2000 },
    );
  });

  it("never takes a lighter rung where everybody has more time", () => {
    fc.assert(
      fc.property(ladders, waiting, fc.double({ min: 0, max: 50, noNaN: true }), (ladder, calls, moreMs) => {
        const later = calls.map(one => ({ ...one, softMs: one.softMs + moreMs, hardMs: one.hardMs + moreMs }));
        const expected = { rows: 2, softAfterMs: 30, nowMs: 0 };
        const before = chooseBatch(ladder, calls, 0, expected).rung;
        const after = chooseBatch(ladder, later, 0, { ...expected, softAfterMs: 30 + moreMs }).rung;
        assert.ok(ladder.rungs.indexOf(after) <= ladder.rungs.indexOf(before));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("what a choice says of itself", () => {
  const explain = (head: Call, ladder = LADDER, startMs = 0): readonly unknown[] => {
    const { rung, why, slackMs } = chooseBatch(ladder, [head], startMs, null);
    return [rung.variant, why, slackMs];
  };

  it("is that it is the heaviest, or that a heavier one would be late, and the slack of the head call", () => {
    assert.deepEqual(explain(call(45)), ["heavy", "top", 45]);
    assert.deepEqual(explain(call(45), LADDER, 6), ["middle", "late", 39]);
    assert.deepEqual(explain(call(3), LADDER, 4), ["light", "late", -1]);
    assert.deepEqual(explain(call(45), floorAlone(LADDER)), ["light", "top", 45]);
  });

  it("is that the next heavier rung is not in memory, whatever time there is", () => {
    const gap = { ...LADDER, belowGaps: ["light"] };
    assert.deepEqual(explain(call(3), gap), ["light", "not_in_memory", 3]);
    assert.deepEqual(explain(call(30), gap), ["middle", "late", 30]);
    assert.deepEqual(explain(call(45), gap), ["heavy", "top", 45]);
    const withoutTop = { ...createLadder(middle, light), belowGaps: ["middle"] };
    assert.deepEqual(explain(call(45), withoutTop), ["middle", "not_in_memory", 45]);
  });

  it("is that the head call keeps the rung, or asks for it", () => {
    const exact = createRung("exact", { points: [{ batch: 1, latencyMs: 50 }] }, 1);
    const ladder = { ...LADDER, others: [exact] };
    assert.deepEqual(explain(call(100, { variant: "light", isBound: true }), ladder), ["light", "asked", 100]);
    assert.deepEqual(explain(call(100, { variant: "exact", isBound: true }), ladder), ["exact", "asked", 100]);
    assert.deepEqual(explain(call(100, { variant: "exact" }), ladder), ["exact", "kept", 100]);
    assert.deepEqual(explain(call(100, { variant: "middle" }), ladder), ["middle", "kept", 100]);
    assert.deepEqual(explain(call(100, { kept: [{ variant: "light" }] }), ladder), ["light", "kept", 100]);
    assert.deepEqual(explain(call(100, { variant: "heavy" }), ladder), ["heavy", "top", 100]);
    // A rung that it keeps is no reason where the rule goes lighter, or must.
    assert.deepEqual(explain(call(3, { kept: [{ variant: "middle" }] }), ladder), ["light", "late", 3]);
    assert.deepEqual(explain(call(10, { variant: "heavy", hardMs: 30 }), ladder), ["light", "late", 10]);
  });
});

describe("the refusal of hopeless calls", () => {
  it("takes what the floor can't serve by its hard deadline, and nothing else", () => {
    const calls = [call(4, { hardMs: 5 }), call(5, { hardMs: 9 }), call(6, { hardMs: 10 }), call(50)];
    assert.deepEqual(findHopeless(LADDER, calls, 0), [calls[1]]);
    assert.deepEqual(findHopeless(LADDER, calls, 1), [calls[0], calls[2]]);
  });

  it("leaves an idle replica the call with the most time, and a busy one none", () => {
    const calls = [call(1, { hardMs: 2 }), call(2, { hardMs: 4 }), call(3, { hardMs: 3 })];
    assert.deepEqual(findRefused(LADDER, calls, 0, false), calls);
    assert.deepEqual(findRefused(LADDER, calls, 0, true), [calls[0], calls[2]]);
    assert.deepEqual(findRefused(LADDER, calls.slice(0, 1), 0, true), []);
    assert.deepEqual(findRefused(LADDER, [...calls, call(50)], 0, true), calls);
  });

  it("refuses nothing that the floor serves in time behind what is before it", () => {
    fc.assert(
      fc.property(ladders, waiting, (ladder, calls) => {
        const floor = floorAlone(ladder);
        const hopeless = findHopeless(floor, calls, 0);
        for (const one of hopeless) {
          const before = calls.slice(0, calls.indexOf(one)).filter(other => !hopeless.includes(other));
          const endMs = leastEndMs(floor.rungs[0] as Rung, [...before, one]);
          assert.ok(endMs > one.hardMs, `served by ${endMs}, refused with ${one.hardMs}`);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("does not starve a call with a long timeout", () => {
    const queue = new WaitingCalls<Call>();
    const patient = call(1000, { hardMs: 30_000 });
    queue.add(patient, 0);
    let nowMs = 0;
    while (patient.rows > 0 && nowMs < 5000) {
      queue.add(call(nowMs + 100, { hardMs: nowMs + 200 }), nowMs);
      for (const one of findHopeless(LADDER, queue.calls, nowMs)) queue.remove(one as Call);
      const batch = chooseBatch(LADDER, queue.calls, nowMs, queue.expectCall(nowMs));
      for (const { call: one, rows } of batch.parts) queue.take(one, rows, batch.rung.variant);
      nowMs += batch.rung.batchMs[batch.rows] as number;
    }
    assert.ok(nowMs <= 1000, `served at ${nowMs}`);
  });
});

/** When the last of these calls is done at best, over all ways to cut their rows into batches in this order with nobody late. */
function leastEndMs(rung: Rung, calls: readonly Call[]): number {
  const owners = calls.flatMap((one, at) => Array.from({ length: one.rows }, (_, row) => ({ one, at, row })));
  const best = new Array<number>(owners.length + 1).fill(Number.POSITIVE_INFINITY);
  best[0] = 0;
  for (let from = 0; from < owners.length; from += 1) {
    for (let to = from + 1; to <= Math.min(owners.length, from + rung.maxBatch); to += 1) {
      const taken = owners.slice(from, to);
      if (taken.some(({ one }) => one.shape !== taken[0]?.one.shape)) break;
      const endMs = (best[from] as number) + (rung.batchMs[to - from] as number);
      const ends = taken.filter(({ one, at, row }) => row === one.rows - 1 && at < calls.length - 1);
      if (ends.some(({ one }) => endMs > one.hardMs)) continue;
      best[to] = Math.min(best[to] as number, endMs);
    }
  }
  return best[owners.length] as number;
}
