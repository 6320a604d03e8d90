import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { EVENT, EventQueue } from "../../simulator/event-queue.ts";

describe("EventQueue", () => {
  it("gives events by time, and those of one time in the order in which they came", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 600 }), times => {
        const queue = new EventQueue();
        for (const [id, atMs] of times.entries()) queue.add(atMs, EVENT.arrival, id);
        const taken: [number, number][] = [];
        while (queue.next()) taken.push([queue.atMs, queue.id]);
        const expected = times
          .map((atMs, id): [number, number] => [atMs, id])
          .toSorted((a, b) => a[0] - b[0] || a[1] - b[1]);
        assert.deepEqual(taken, expected);
      }),
    );
  });

  it("gives each event its kind and its number, in order, whatever was taken in between", () => {
    const kind = fc.constantFrom(...Object.values(EVENT));
    const step = fc.record({
      delayMs: fc.integer({ min: 0, max: 3 }),
      kind,
      id: fc.nat(2 ** 27 - 1),
      takes: fc.nat(2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 700 }), steps => {
        const queue = new EventQueue();
        const waiting: (readonly [atMs: number, order: number, kind: number, id: number])[] = [];
        let nowMs = 0;
        const take = (): boolean => {
          waiting.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
          const expected = waiting.shift();
          assert.equal(queue.next(), expected !== undefined);
          if (!expected) return false;
          assert.deepEqual([queue.atMs, queue.kind, queue.id], [expected[0], expected[2], expected[3]]);
          nowMs = queue.atMs;
          return true;
        };
        for (const [order, { delayMs, kind: what, id, takes }] of steps.entries()) {
          queue.add(nowMs + delayMs, what, id);
          waiting.push([nowMs + delayMs, order, what, id]);
          for (let left = takes; left > 0 && take(); left--);
        }
        while (take());
      }),
    );
  });

  it("stays in order while events are added and taken in turn", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()), { maxLength: 400 }), steps => {
        const queue = new EventQueue();
        let nowMs = 0;
        for (const [id, [delayMs, takes]] of steps.entries()) {
          queue.add(nowMs + delayMs, EVENT.tick, id);
          if (!takes || !queue.next()) continue;
          assert.ok(queue.atMs >= nowMs);
          nowMs = queue.atMs;
        }
      }),
    );
  });
});
