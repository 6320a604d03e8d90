import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { ReceivedCounts } from "../../domain/profile-schema.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { bothRightByOthers, recoveryOf, stageErrors } from "../../optimizer/stage-errors.ts";

const near = (value: number, expected: number, room = 1e-9) =>
  assert.ok(Math.abs(value - expected) <= room, `${value} instead of ${expected}`);

type Cells = readonly [bothRight: number, rightAfterWrong: number, wrongAfterRight: number, bothWrong: number];

function countsOf(cells: Cells, variant = "heavy", answers?: ReceivedCounts["answers"]): ReceivedCounts {
  const [bothRight, rightAfterWrong, wrongAfterRight, bothWrong] = cells;
  return {
    ...{ stage: "read", variants: { find: "light", read: variant } },
    ...{ items: cells.reduce((sum, cell) => sum + cell, 0), right: bothRight + rightAfterWrong },
    before: { bothRight, rightAfterWrong, wrongAfterRight, bothWrong },
    ...(answers && { answers }),
  };
}

const answers = (rightAfterWrong: number) => ({ allStagesRight: 0, rightAfterRight: 0, rightAfterWrong });

describe("stageErrors()", () => {
  it("has shares of both stages, and what they are where the one before was right and where it was wrong", () => {
    const errors = stageErrors(countsOf([60, 15, 20, 5]), 0.8) ?? assert.fail();
    near(errors.before, 0.8);
    near(errors.own, 0.75);
    near(errors.both, 0.6);
    near(errors.afterRight, 0.75);
    near(errors.afterWrong, 0.75);
    // No dependence at all.
    near(errors.correlation, 0);
    near(errors.agreement, (60 + 30 * 0.8) / 110 / 0.8);
    assert.deepEqual(
      errors.bounds.map(bound => bound.toFixed(3)),
      ["0.550", "0.750"],
    );
  });

  it("takes for recovery the answers that come out right, and what the stage makes of it where it is not the last", () => {
    near(stageErrors(countsOf([60, 15, 20, 5]), 0.8)?.recovery ?? 0, 0.75);
    near(stageErrors(countsOf([60, 15, 20, 5], "heavy", answers(4)), 0.8)?.recovery ?? 0, 0.2);
  });

  it("finds the correlation that was put in, above 0 for hard items and below for what is passed on", () => {
    const random = seededRandom(3);
    for (const [afterRight, afterWrong] of [
      [0.9, 0.3],
      [0.6, 0.95],
    ] as const) {
      const cells: [number, number, number, number] = [0, 0, 0, 0];
      for (let i = 0; i < 50_000; i++) {
        const before = random() < 0.7;
        const own = random() < (before ? afterRight : afterWrong);
        cells[before ? (own ? 0 : 2) : own ? 1 : 3]++;
      }
      const mean = 0.7 * afterRight + 0.3 * afterWrong;
      const expected = (0.7 * afterRight - 0.7 * mean) / Math.sqrt(0.21 * mean * (1 - mean));
      near(stageErrors(countsOf(cells), 0.8)?.correlation ?? Number.NaN, expected, 0.02);
    }
  });

  it("never has the share of both outside the bounds, and the pair's formula gives it back by its own ρ", () => {
    const cell = fc.integer({ min: 0, max: 50 });
    fc.assert(
      fc.property(fc.tuple(cell, cell, cell, cell), cells => {
        const errors = stageErrors(countsOf(cells), 0.8);
        if (!errors) return;
        const [least, most] = errors.bounds;
        assert.ok(errors.both >= least - 1e-9 && errors.both <= most + 1e-9, `${errors.both}: ${least} to ${most}`);
        if (Number.isFinite(errors.correlation)) near(bothRightByOthers(errors, [errors]), errors.both);
      }),
    );
  });

  it("has nothing for a stage without one before it, and no correlation of one that is always right", () => {
    const { before: _, ...first } = countsOf([1, 1, 1, 1]);
    assert.equal(stageErrors(first, 0.8), null);
    const always = stageErrors(countsOf([60, 0, 40, 0]), 0.8) ?? assert.fail();
    assert.ok(Number.isNaN(always.correlation) && Number.isNaN(always.recovery));
    assert.ok(Number.isNaN(bothRightByOthers(always, [always])));
  });
});

describe("recoveryOf()", () => {
  it("pools all choices of variants of the stage, and is no number where nothing was wrong", () => {
    const received = [countsOf([60, 15, 20, 5], "heavy", answers(4)), countsOf([10, 5, 5, 5], "light", answers(2))];
    near(recoveryOf(received, "read"), 6 / 30);
    assert.ok(Number.isNaN(recoveryOf(received, "find")));
    assert.ok(Number.isNaN(recoveryOf([countsOf([9, 0, 1, 0])], "read")));
  });
});
