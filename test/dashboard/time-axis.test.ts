import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { MARGIN, minuteMarks, timeScale, timeSpan } from "../../dashboard/time-axis.ts";

const NOW = 1_800_000_000_000;
const lastSeconds = (seconds: number) => Array.from({ length: seconds }, (_, i) => NOW - 1000 * (seconds - 1 - i));

describe("timeSpan()", () => {
  it("is all of the points, a minute at least", () => {
    assert.deepEqual(timeSpan(lastSeconds(601)), [NOW - 600_000, NOW]);
    assert.deepEqual(timeSpan(lastSeconds(5)), [NOW - 60_000, NOW]);
  });

  it("is a minute where there are no points", () => {
    const [first, last] = timeSpan([]);
    assert.equal(last - first, 60_000);
  });
});

describe("timeScale()", () => {
  it("puts first and last time inside of the margins", () => {
    const x = timeScale(lastSeconds(601), 500);
    assert.equal(x(NOW - 600_000), MARGIN.left);
    assert.equal(x(NOW), 500 - MARGIN.right);
    assert.equal(x(NOW - 300_000), (MARGIN.left + 500 - MARGIN.right) / 2);
  });
});

describe("minuteMarks()", () => {
  it("says how long ago in whole minutes, oldest first", () => {
    assert.deepEqual(minuteMarks(lastSeconds(150), 500), [
      { atMs: NOW - 120_000, text: "−2 min" },
      { atMs: NOW - 60_000, text: "−1 min" },
      { atMs: NOW, text: "now" },
    ]);
  });

  it("has fewer where the chart is narrow", () => {
    assert.deepEqual(
      minuteMarks(lastSeconds(601), 270).map(({ text }) => text),
      ["−8 min", "−4 min", "now"],
    );
  });
});
