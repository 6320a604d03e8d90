import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { groupSizes, groupSpread, meanVisit, visitedShare } from "../../optimizer/group-size.ts";

const rows = fc.double({ min: 1, max: 32, noNaN: true });
const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });

describe("groupSizes()", () => {
  it("is the worked example: of two rows each of which comes with 0.5, one in three requests brings both", () => {
    const sizes = groupSizes(2, 0.5);
    assert.deepEqual(
      sizes.map(size => size.rows),
      [1, 2],
    );
    assert.ok(Math.abs((sizes[1]?.share ?? 0) - 1 / 3) < 1e-12);
    assert.equal(visitedShare(2, 0.5), 0.75);
  });

  it("has the mean and the spread that the others say", () => {
    fc.assert(
      fc.property(rows, share, (meanRows, own) => {
        const sizes = groupSizes(meanRows, own);
        const mean = (of: (count: number) => number) =>
          sizes.reduce((sum, size) => sum + size.share * of(size.rows), 0);
        assert.ok(Math.abs(mean(() => 1) - 1) < 1e-9);
        const first = mean(count => count);
        assert.ok(Math.abs(first / meanVisit(meanRows, own) - 1) < 0.01, `${first}`);
        assert.ok(Math.abs(mean(count => count ** 2) / first / groupSpread(meanRows, own) - 1) < 0.02);
      }),
    );
  });

  it("goes on where rows are too many to count, and where hardly any comes", () => {
    for (const [meanRows, own] of [
      [40, 0.25],
      [1e12, 0.5],
    ] as const) {
      const sizes = groupSizes(meanRows, own);
      const mean = sizes.reduce((sum, size) => sum + size.share * size.rows, 0);
      assert.ok(Math.abs(mean / meanVisit(meanRows, own) - 1) < 0.01, `${mean}`);
      assert.ok(sizes.length <= 16 && sizes.every(size => size.rows >= 1));
    }
    for (const own of [0, 1e-300, 1e-12])
      for (const meanRows of [1, 2.5, 1e12]) {
        assert.ok(meanVisit(meanRows, own) >= 1 && meanVisit(meanRows, own) <= meanRows);
        assert.ok(visitedShare(meanRows, own) >= 0 && visitedShare(meanRows, own) <= 1);
      }
    assert.deepEqual(groupSizes(1, 1e-300), [{ rows: 1, share: 1 }]);
  });
});

describe("groupSpread()", () => {
  it("is that of the whole groups where all rows come", () => {
    assert.equal(groupSpread(4, 1), 4);
    assert.ok(Math.abs(groupSpread(1.5, 1) - (0.5 + 0.5 * 4) / 1.5) < 1e-12);
  });
});
