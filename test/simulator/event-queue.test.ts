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
