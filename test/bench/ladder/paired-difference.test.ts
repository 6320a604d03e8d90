import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { comparePaired } from "../../../bench/ladder/paired-difference.ts";

/** Ten requests in each block of 5 s. */
const arrive = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => 500 * at);

describe("comparePaired()", () => {
  it("is the mean difference by request, in points", () => {
    const { points, requests } = comparePaired([
      { arrivalsMs: arrive(4), ours: "1101", theirs: "1000" },
      { arrivalsMs: arrive(6), ours: "000000", theirs: "100000" },
    ]);
    assert.equal(requests, 10);
    assert.equal(points, 10);
  });

  it("has no width where every block differs alike", () => {
    const { points, upperPoints } = comparePaired([
      { arrivalsMs: arrive(40), ours: "1111111110".repeat(4), theirs: "1111111100".repeat(4) },
    ]);
    assert.ok(Math.abs(points - 10) < 1e-9 && Math.abs(upperPoints - 10) < 1e-9, `${points}, ${upperPoints}`);
  });

  it("counts neighbours as one look: differences that come together make it wider than those that are spread", () => {
    const arrivalsMs = arrive(100);
    const theirs = "0".repeat(100);
    const together = comparePaired([{ arrivalsMs, ours: "1".repeat(10) + "0".repeat(90), theirs }]);
    const spread = comparePaired([{ arrivalsMs, ours: "1000000000".repeat(10), theirs }]);
    assert.equal(together.points, spread.points);
    assert.ok(Math.abs(spread.upperPoints - 10) < 1e-9);
    // Ten blocks, of which one has all: the standard deviation of a block's mean is 0.316.
    assert.ok(Math.abs(together.upperPoints - (10 + (1.645 * 31.62) / Math.sqrt(10))) < 0.1, `${together.upperPoints}`);
  });

  it("keeps blocks of different runs apart", () => {
    const run = { arrivalsMs: arrive(10), ours: "1".repeat(10), theirs: "0".repeat(10) };
    const none = { ...run, ours: "0".repeat(10) };
    // Two blocks, one with all and one with nothing: 50 points, with a standard error of as many.
    assert.ok(Math.abs(comparePaired([run, none]).upperPoints - (50 + 1.645 * 50)) < 1e-9);
  });

  it("refuses runs that do not have the same requests, and does not know the width of one block", () => {
    assert.throws(() => comparePaired([{ arrivalsMs: arrive(3), ours: "111", theirs: "11" }]), /3 and 2 requests/);
    const { upperPoints } = comparePaired([{ arrivalsMs: arrive(3), ours: "111", theirs: "110" }]);
    assert.equal(upperPoints, Number.POSITIVE_INFINITY);
  });
});
