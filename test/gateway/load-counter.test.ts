import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { LoadCounter } from "../../gateway/load-counter.ts";

describe("LoadCounter", () => {
  const rates = (counter: LoadCounter, nowMs: number) => counter.report(nowMs).seconds.map(second => second.rateRps);

  it("counts whole seconds, empty ones too, and leaves out the one that runs", () => {
    const counter = new LoadCounter("e", 10_400);
    for (const nowMs of [10_500, 10_999, 11_000, 13_100]) counter.offer(nowMs);
    assert.deepEqual(rates(counter, 13_999), [2, 1, 0]);
    assert.deepEqual(counter.report(14_000).seconds, [
      { atMs: 11_000, rateRps: 2 },
      { atMs: 12_000, rateRps: 1 },
      { atMs: 13_000, rateRps: 0 },
      { atMs: 14_000, rateRps: 1 },
    ]);
  });

  it("keeps the last minute, also after a long silence", () => {
    const counter = new LoadCounter("e", 0);
    for (let second = 0; second < 200; second++) for (let i = 0; i <= second; i++) counter.offer(second * 1000 + i);
    assert.deepEqual(
      rates(counter, 200_000),
      Array.from({ length: 60 }, (_, i) => 141 + i),
    );
    assert.deepEqual(rates(counter, 1e9), new Array(60).fill(0));
  });

  it("loses no request when the clock is set back", () => {
    const counter = new LoadCounter("e", 5000);
    counter.offer(9500);
    counter.offer(7500);
    assert.deepEqual(rates(counter, 10_000), [0, 0, 0, 0, 2]);
    assert.equal(counter.report(10_000).offered, 2);
  });

  it("tells ends apart and what is in flight", () => {
    const counter = new LoadCounter("epoch-1", 0);
    for (let i = 0; i < 7; i++) counter.offer(10);
    counter.end({ kind: "served", body: "1" });
    counter.end({ kind: "dropped", reason: "deadline", message: "" });
    counter.end({ kind: "dropped", reason: "queue_full", message: "" });
    counter.end({ kind: "lost", message: "" });
    counter.end({ kind: "invalid", message: "" });
    counter.end({ kind: "cancelled" });
    const { seconds, ...report } = counter.report(20);
    assert.deepEqual(seconds, []);
    assert.deepEqual(report, {
      epoch: "epoch-1",
      startedAtMs: 0,
      atMs: 20,
      offered: 7,
      served: 1,
      dropped: { queue_full: 1, replicas_full: 0, no_endpoint: 0, deadline: 1, slow_body: 0 },
      lost: 1,
      failed: 0,
      invalid: 1,
      cancelled: 1,
      inFlight: 1,
    });
  });
});
