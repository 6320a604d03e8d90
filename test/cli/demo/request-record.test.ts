import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type RequestRecord, summarise } from "../../../cli/demo/request-record.ts";

const record = (above: Partial<RequestRecord>): RequestRecord => ({
  atMs: 0,
  latencyMs: 100,
  outcome: "served",
  correct: true,
  partsCorrect: 5,
  parts: 5,
  variants: "",
  ...above,
});

describe("summarise()", () => {
  it("counts what was right and in time of all requests, and accuracy of the served ones", () => {
    const summary = summarise(
      [
        record({ latencyMs: 10 }),
        record({ latencyMs: 20, correct: false, partsCorrect: 3 }),
        record({ latencyMs: 300 }),
        record({ outcome: "dropped", correct: false, partsCorrect: 0, parts: 0 }),
        record({ outcome: "lost", correct: false, partsCorrect: 0, parts: 0 }),
      ],
      2000,
      200,
    );
    assert.deepEqual(summary, {
      offered: 5,
      offeredRps: 2.5,
      served: 3,
      dropped: 1,
      lost: 1,
      p50Ms: 20,
      p95Ms: 300,
      sloAttainment: 2 / 5,
      accuracy: 2 / 3,
      partAccuracy: 13 / 15,
      effectiveAccuracy: 1 / 5,
    });
  });

  it("takes an answer at the SLO for one within it", () => {
    assert.equal(summarise([record({ latencyMs: 200 })], 1000, 200).sloAttainment, 1);
  });

  it("has no shares and no latencies where there is nothing", () => {
    const nothing = summarise([], 1000, 200);
    assert.deepEqual([nothing.offered, nothing.offeredRps, nothing.lost], [0, 0, 0]);
    for (const value of [nothing.p50Ms, nothing.sloAttainment, nothing.accuracy, nothing.effectiveAccuracy])
      assert.equal(value, Number.NaN);
    const lost = summarise([record({ outcome: "lost" })], 1000, 200);
    assert.deepEqual(
      [lost.accuracy, lost.p95Ms, lost.sloAttainment, lost.effectiveAccuracy],
      [Number.NaN, Number.NaN, 0, 0],
    );
  });

  it("does not depend on the order, and its numbers fit together", () => {
    const anyRecord = fc.record({
      atMs: fc.nat(1000),
      latencyMs: fc.double({ min: 0, max: 1000, noNaN: true }),
      outcome: fc.constantFrom("served" as const, "dropped" as const, "lost" as const),
      correct: fc.boolean(),
      partsCorrect: fc.nat(5),
      parts: fc.constant(5),
      variants: fc.constant(""),
    });
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1 }), records => {
        const summary = summarise(records, 1000, 300);
        assert.deepEqual(summarise([...records].reverse(), 1000, 300), summary);
        assert.equal(summary.served + summary.dropped + summary.lost, summary.offered);
        assert.ok(summary.effectiveAccuracy <= summary.sloAttainment);
        assert.ok(summary.served === 0 || summary.p50Ms <= summary.p95Ms);
      }),
    );
  });
});
