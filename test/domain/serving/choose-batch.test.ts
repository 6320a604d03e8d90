import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { chooseBatch } from "../../../domain/serving/choose-batch.ts";
import { type Call, createRung, type Ladder, type Rung } from "../../../domain/serving/ladder.ts";
import { findHopeless, findRefused } from "../../../domain/serving/refusals.ts";
import { WaitingCalls } from "../../../domain/serving/waiting-calls.ts";
import {
  call,
  createLadder,
  floorAlone,
  heavy,
  LADDER,
  ladders,
  light,
  middle,
  waiting,
  wildLadders,
} from "./rule-cases.ts";

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

  it("has room for what else is busy on the machine, where calls are not refused for it", () => {
    const crowded = { ...LADDER, crowding: 2 };
    const variant = (...calls: readonly Call[]): string => chooseBatch(crowded, calls, 0, null).rung.variant;
    assert.equal(variant(call(80)), "heavy");
    assert.equal(variant(call(79)), "middle");
    assert.equal(variant(call(160), call(160)), "heavy");
    assert.equal(variant(call(160), call(159)), "middle");
    assert.deepEqual(findRefused(crowded, [call(3), call(5)], 0, true), []);
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
