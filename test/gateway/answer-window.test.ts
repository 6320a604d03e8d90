import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { AnswerWindow } from "../../gateway/answer-window.ts";
import type { Outcome } from "../../gateway/outcome.ts";

const SERVED: Outcome = { kind: "served", body: "1" };
const LOST: Outcome = { kind: "lost", message: "" };

describe("AnswerWindow", () => {
  it("says nothing of latencies where nothing was served", () => {
    const window = new AnswerWindow(500, 0);
    window.end(LOST, 20, 100);
    assert.deepEqual(window.report(200), {
      ended: 1,
      inTime: 0,
      recent: { ended: 0, inTime: 0 },
      latencyMs: null,
    });
  });

  it("counts what is late, dropped, lost and failed against what ended, and leaves out what clients did", () => {
    const window = new AnswerWindow(500, 0);
    window.end(SERVED, 500, 10);
    window.end(SERVED, 500.1, 10);
    window.end(LOST, 3, 10);
    window.end({ kind: "dropped" }, 3, 10);
    window.end({ kind: "failed" }, 3, 10);
    window.end({ kind: "invalid" }, 3, 10);
    window.end({ kind: "cancelled" }, 3, 10);
    const { ended, inTime } = window.report(20);
    assert.deepEqual([ended, inTime], [5, 1]);
  });

  it("leaves out of the last ten seconds what more replicas would not have helped", () => {
    const window = new AnswerWindow(500, 0);
    window.end(SERVED, 10, 10);
    window.end({ kind: "dropped", reason: "replicas_full" }, 3, 10);
    window.end({ kind: "dropped", reason: "slow_body" }, 3, 10);
    window.end({ kind: "failed" }, 3, 10);
    window.end(LOST, 3, 10);
    const { ended, inTime, recent } = window.report(20);
    assert.deepEqual([ended, inTime, recent], [5, 1, { ended: 2, inTime: 1 }]);
  });

  it("says by itself how those of the last ten seconds ended", () => {
    const window = new AnswerWindow(500, 0);
    for (let second = 0; second < 100; second++) window.end(SERVED, second < 95 ? 10 : 501, second * 1000);
    const { ended, inTime, recent } = window.report(99_999);
    assert.deepEqual([ended, inTime, recent], [60, 55, { ended: 10, inTime: 5 }]);
    assert.deepEqual(window.report(104_000).recent, { ended: 5, inTime: 0 });
    assert.deepEqual(window.report(1e9).recent, { ended: 0, inTime: 0 });
    assert.deepEqual(new AnswerWindow(500, 0).report(0).recent, { ended: 0, inTime: 0 });
  });

  it("forgets what is older than a minute, also after a long silence, and nothing when the clock is set back", () => {
    const window = new AnswerWindow(500, 0);
    for (let second = 0; second < 200; second++) window.end(SERVED, 10, second * 1000);
    assert.equal(window.report(199_999).ended, 60);
    window.end(SERVED, 10, 150_000);
    assert.equal(window.report(199_999).ended, 61);
    assert.equal(window.report(230_000).ended, 30);
    assert.equal(window.report(1e9).ended, 0);
  });

  it("has quantiles that are a twentieth off at most", () => {
    const latencies = fc.array(fc.double({ min: 1, max: 600_000, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(latencies, values => {
        const window = new AnswerWindow(500, 0);
        for (const value of values) window.end(SERVED, value, 10);
        const { latencyMs } = window.report(20);
        const sorted = values.toSorted((a, b) => a - b);
        for (const [share, found] of [
          [0.5, latencyMs?.p50],
          [0.99, latencyMs?.p99],
        ] as const) {
          const exact = sorted[Math.ceil(share * sorted.length - 1e-9) - 1] ?? 0;
          assert.ok(Math.abs(Math.log((found ?? 0) / exact)) <= Math.log(1.1) / 2 + 1e-3, `${found} for ${exact}`);
        }
      }),
    );
  });
});
