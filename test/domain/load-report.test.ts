import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { VariscaleError } from "../../domain/errors.ts";
import { isBelow, type LoadReport, queryOf, readOf, unreadOf } from "../../domain/load-report.ts";

const REPORT: LoadReport = {
  epoch: "run 1 & more",
  startedAtMs: 0,
  atMs: 3500,
  offered: 6,
  served: 6,
  dropped: {},
  lost: 0,
  failed: 0,
  invalid: 0,
  cancelled: 0,
  inFlight: 0,
  lastMinute: { ended: 6, inTime: 6, latencyMs: null },
  estimates: [],
  seconds: [1, 2, 3].map(second => ({ atMs: second * 1000, rateRps: second })),
};
const { epoch } = REPORT;

describe("load reports", () => {
  it("leave out the seconds that were read, of the same run alone", () => {
    const rates = (read: Parameters<typeof unreadOf>[1]) =>
      unreadOf(REPORT, read).seconds.map(({ rateRps }) => rateRps);
    assert.deepEqual(rates(null), [1, 2, 3]);
    assert.deepEqual(rates({ epoch, toMs: 2000 }), [3]);
    assert.deepEqual(rates({ epoch, toMs: 3000 }), []);
    assert.deepEqual(rates({ epoch: "run 2", toMs: 3000 }), [1, 2, 3]);
    assert.deepEqual({ ...unreadOf(REPORT, { epoch, toMs: 3000 }), seconds: REPORT.seconds }, REPORT);
  });

  it("are asked for by a query that says what was read", () => {
    for (const read of [null, { epoch, toMs: 1_795_000_000_000 }, { epoch: "", toMs: -1 }])
      assert.deepEqual(readOf(new URLSearchParams(queryOf(read).slice(1))), read);
    assert.equal(readOf(new URLSearchParams({ epoch })), null);
    assert.equal(readOf(new URLSearchParams({ after: "5" })), null);
  });

  it("refuse a time that is none", () => {
    for (const after of ["", " ", "now", "NaN", "Infinity", "1e999"]) {
      const read = () => readOf(new URLSearchParams({ epoch, after }));
      assert.throws(read, (error: unknown) => error instanceof VariscaleError && error.code === "invalid_argument");
    }
  });
});

describe("isBelow()", () => {
  it("takes what chance makes late of few and of many for nothing", () => {
    const isLate = (ended: number, late: number) => isBelow({ ended, inTime: ended - late }, 0.99);
    assert.deepEqual([isLate(10, 1), isLate(10, 2)], [false, true]);
    assert.deepEqual([isLate(100, 4), isLate(100, 5)], [false, true]);
    assert.deepEqual([isLate(10_000, 121), isLate(10_000, 122)], [false, true]);
    assert.equal(isLate(0, 0), false);
  });
});
