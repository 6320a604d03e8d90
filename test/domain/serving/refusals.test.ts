import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { chooseBatch } from "../../../domain/serving/choose-batch.ts";
import { type Call, createRung, type Ladder, type Rung } from "../../../domain/serving/ladder.ts";
import { findHopeless, findRefused } from "../../../domain/serving/refusals.ts";
import { WaitingCalls } from "../../../domain/serving/waiting-calls.ts";
import { call, createLadder, floorAlone, LADDER, ladders, waiting, wildLadders } from "./rule-cases.ts";

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

describe("the first calls that give way", () => {
  // 10 ms for one call, 11 for two, … 17 for eight.
  const points = [1, 8].map(batch => ({ batch, latencyMs: 9 + batch }));
  const ladder = createLadder(createRung("only", { points }, 8));

  it("are as few as let all others be in time", () => {
    // One by one they are late; without the first one the others are done at 12.
    const calls = [call(10, { hardMs: 10 }), ...[12, 13, 14].map(ms => call(ms, { hardMs: ms }))];
    assert.deepEqual(findHopeless(ladder, calls, 0), calls.slice(1));
    assert.deepEqual(findRefused(ladder, calls, 0, true), calls.slice(0, 1));
  });

  it("still wait where no batch is to start, and with them those that would be in time then", () => {
    const calls = [call(10, { hardMs: 10 }), ...[12, 13, 14].map(ms => call(ms, { hardMs: ms }))];
    assert.deepEqual(findRefused(ladder, calls, 0, false), []);
    // This one is late in any case.
    const late = call(15, { hardMs: 15, rows: 8 });
    assert.deepEqual(findRefused(ladder, [...calls, late], 0, false), [late]);
  });

  it("are none where that would cost more refusals than it saves, or batches have one row", () => {
    const calls = [call(10, { hardMs: 10 }), call(11, { hardMs: 11, rows: 8 })];
    assert.deepEqual(findRefused(ladder, calls, 0, true), [calls[1]]);
    const alone = [call(5, { hardMs: 5 }), call(9, { hardMs: 9 })];
    assert.deepEqual(findRefused(LADDER, alone, 0, true), [alone[1]]);
  });

  it("are never more, with those that are hopeless then, than would be hopeless behind them", () => {
    fc.assert(
      fc.property(fc.oneof(ladders, wildLadders), waiting, fc.boolean(), (some, calls, isIdle) => {
        const hopeless = findHopeless(some, calls, 0);
        const refused = findRefused(some, calls, 0, isIdle);
        assert.ok(refused.length <= hopeless.length);
        if (!isIdle) assert.ok(refused.every(one => hopeless.includes(one)));
        if (!isIdle || refused.length >= calls.length - 1) return;
        const left = calls.filter(one => !refused.includes(one));
        assert.deepEqual(findHopeless(some, left, 0), []);
      }),
      { numRuns: 2000 },
    );
  });

  it("let a replica that has more to do than it can serve as much as full batches carry, but for a few", () => {
    // Full batches carry a call in 2.125 ms: of twice as many calls at best half are missed.
    const serve = (refuse: typeof findRefused): number => serveEvery(2.125 / 2, 100, ladder, refuse);
    assert.ok(serve(findRefused) < 0.6, `missed ${serve(findRefused)}`);
    // Where only hopeless calls are refused, the head call waits until it leaves time for nobody else.
    const hopelessAlone = serve((...[some, calls, freeMs]) => findHopeless(some, calls, freeMs));
    assert.ok(hopelessAlone > 0.7, `missed ${hopelessAlone}`);
  });
});

/** The share that is missed of calls that come every so many ms for two seconds, each with `hardMs` to go. */
function serveEvery(everyMs: number, hardMs: number, ladder: Ladder, refuse: typeof findRefused): number {
  const queue = new WaitingCalls<Call>();
  const count = Math.floor(2000 / everyMs);
  let [nowMs, freeMs, served] = [0, 0, 0];
  for (let at = 0; at < count || queue.calls.length > 0; ) {
    const comesMs = at < count ? at * everyMs : Number.POSITIVE_INFINITY;
    const isIdle = queue.calls.length > 0 && freeMs <= comesMs;
    nowMs = isIdle ? Math.max(freeMs, nowMs) : comesMs;
    if (!isIdle) {
      at += 1;
      queue.add(call(nowMs + hardMs, { hardMs: nowMs + hardMs }), nowMs);
    }
    const isFree = freeMs <= nowMs;
    for (const one of refuse(ladder, queue.calls, Math.max(freeMs, nowMs), isFree)) queue.remove(one);
    if (!isFree || queue.calls.length === 0) continue;
    const batch = chooseBatch(ladder, queue.calls, nowMs, null);
    freeMs = nowMs + (batch.rung.batchMs[batch.rows] as number);
    served += batch.parts.filter(({ call: one }) => freeMs <= one.hardMs).length;
    for (const { call: one, rows } of batch.parts) queue.take(one, rows, batch.rung.variant);
  }
  return 1 - served / count;
}

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
