import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { averagePoints, compareByRows, expectAccuracy } from "../../../bench/ladder/mixed-accuracy.ts";

describe("expectAccuracy()", () => {
  const table = [
    { variants: ["a", "x"], accuracy: 0.9 },
    { variants: ["a", "y"], accuracy: 0.5 },
    { variants: ["b", "x"], accuracy: 0.7 },
    { variants: ["b", "y"], accuracy: 0.1 },
  ];
  const expect = (shares: Parameters<typeof expectAccuracy>[1]) => expectAccuracy(["first", "second"], shares, table);

  it("weights combinations by the product of the shares", () => {
    assert.equal(expect({ first: { a: 1 }, second: { y: 1 } }), 0.5);
    const mixed = expect({ first: { a: 0.25, b: 0.75 }, second: { x: 0.5, y: 0.5 } });
    assert.ok(Math.abs(mixed - (0.25 * 0.7 + 0.75 * 0.4)) < 1e-12);
  });

  it("leaves a stage open that had no rows", () => {
    assert.ok(Math.abs(expect({ first: { a: 1 }, second: {} }) - 0.7) < 1e-12);
  });
});

describe("compareByRows()", () => {
  const answer = (rows: number, isRight: boolean, expected = 0.5) => ({ rows, isRight, expected });

  it("compares answers with what was expected of them, in three groups by their rows", () => {
    const groups = compareByRows([
      answer(9, true, 1),
      answer(1, true),
      answer(1, false),
      answer(5, false, 0.25),
      answer(4, true, 0.25),
      answer(8, false, 1),
    ]);
    assert.deepEqual(
      groups.map(({ fewest, most, answers, points }) => [fewest, most, answers, points]),
      [
        [1, 1, 2, 0],
        [4, 5, 2, 25],
        [8, 9, 2, -50],
      ],
    );
    assert.ok(Math.abs(averagePoints(groups) - (25 - 50) / 3) < 1e-9);
  });

  it("keeps answers with as many rows together", () => {
    const groups = compareByRows([3, 3, 3, 3, 3, 7].map(rows => answer(rows, true)));
    assert.deepEqual(
      groups.map(({ fewest, answers }) => [fewest, answers]),
      [
        [3, 5],
        [7, 1],
      ],
    );
  });

  it("has no group of a few answers alone", () => {
    const groups = compareByRows([1, ...Array.from({ length: 10 }, () => 3), 7].map(rows => answer(rows, true)));
    assert.deepEqual(
      groups.map(({ fewest, most, answers }) => [fewest, most, answers]),
      [[1, 7, 12]],
    );
  });
});
