import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type LoadCell, LoadHistory } from "../../predictor/load-history.ts";
import { decodeRate, decodeRise, encodeRate, encodeRise, NO_RATE } from "../../predictor/rate-code.ts";
import { LOADS } from "./seeded-loads.ts";

const DAY = 86_400;

function close(actual: number, expected: number, share = 2e-4): boolean {
  return Math.abs(actual - expected) <= share * (1 + expected);
}

/** What the highest second of a minute is kept to. */
const OF_MINUTES = 0.0165;

function historyOf(rates: readonly (number | null)[], firstSecond = 1): LoadHistory {
  const history = new LoadHistory();
  history.startAt(firstSecond);
  for (const rate of rates) {
    if (rate === null) history.skip(1);
    else history.push(rate);
  }
  return history;
}

describe("encodeRate()", () => {
  it("keeps every rate to 0.0125 % of 1 + rate in 16 bits, 0 exactly, and NaN", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), rate => {
        const code = encodeRate(rate);
        assert.ok(Number.isInteger(code) && code > 0 && code <= 0xffff);
        assert.ok(Math.abs(decodeRate(code) - rate) <= 1.25e-4 * (1 + rate), `${rate} ${decodeRate(code)}`);
      }),
    );
    assert.equal(decodeRate(encodeRate(0)), 0);
    assert.ok(Number.isNaN(decodeRate(encodeRate(Number.NaN))));
  });
});

describe("encodeRise()", () => {
  it("keeps the highest rate of a minute to 1.6 % of 1 + rate, to 0.7 % up to twice the mean, that of a steady one exactly", () => {
    const mean = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(mean, fc.double({ min: 1, max: 60, noNaN: true }), (meanRps, factor) => {
        const [low, high] = [encodeRate(meanRps), encodeRate(Math.min(meanRps * factor, 1e7))];
        const rise = encodeRise(low, high);
        assert.ok(Number.isInteger(rise) && rise >= 0 && rise <= 0xff);
        const share = factor <= 2 ? 0.007 : OF_MINUTES;
        assert.ok(close(decodeRate(decodeRise(low, rise)), decodeRate(high), share), `${meanRps} ${factor}`);
        assert.equal(decodeRise(low, encodeRise(low, low)), low);
      }),
    );
  });

  it("keeps what is further above the mean than it can be as far as that, below it as the mean, and missing as missing", () => {
    assert.ok(
      close(decodeRate(decodeRise(encodeRate(1000), encodeRise(encodeRate(1000), encodeRate(1e6)))), 60e3, OF_MINUTES),
    );
    assert.equal(decodeRise(encodeRate(50), encodeRise(encodeRate(50), encodeRate(40))), encodeRate(50));
    assert.ok(decodeRise(0xffff, 0xff) === 0xffff);
    assert.equal(decodeRise(NO_RATE, encodeRise(NO_RATE, NO_RATE)), NO_RATE);
  });
});

describe("LoadHistory.window()", () => {
  it("is the mean, the maximum and the count of seconds within ten minutes, whatever is missing", () => {
    const rate = fc.option(fc.integer({ min: 0, max: 500 }), { freq: 4 });
    const seconds = fc.integer({ min: 1, max: 120 });
    fc.assert(
      fc.property(fc.array(rate, { maxLength: 400, size: "max" }), fc.nat(200), seconds, (later, age, length) => {
        // What is before the first known second is as its ten-second cell says, so it is the last of one here.
        const rates = [0, ...later];
        const window = historyOf(rates, -150).window(age, length);
        const end = rates.length - age;
        const there = rates.slice(Math.max(end - length, 0), Math.max(end, 0)).filter(one => one !== null);
        assert.equal(window.present, there.length);
        if (there.length === 0) return assert.ok(Number.isNaN(window.meanRps) && Number.isNaN(window.highestRps));
        assert.equal(window.highestRps, Math.max(...there));
        assert.ok(Math.abs(window.meanRps - there.reduce((a, b) => a + b, 0) / there.length) < 1e-9);
      }),
    );
  });

  it("reads ten-second cells for two days and minutes for three weeks", () => {
    const rates = LOADS["diurnal"]!(3 * DAY, 1);
    const history = historyOf(rates);
    const meanOf = (from: number, to: number) => rates.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
    for (const [age, seconds] of [
      [3600, 10],
      [40_000, 290],
      [DAY, 30],
      [2 * DAY + 600, 60],
      [2 * DAY + 3600, 1200],
      [7200, 1200],
      [550, 200],
      [2 * DAY - 120, 240],
    ] as const) {
      const end = rates.length - age;
      const window = history.window(age, seconds);
      assert.ok(close(window.meanRps, meanOf(end - seconds, end)), `${age} ${seconds}: ${window.meanRps}`);
      const highest = Math.max(...rates.slice(end - seconds, end));
      const isOfMinutes = seconds >= 300 || age > 2 * DAY;
      assert.ok(close(window.highestRps, highest, isOfMinutes ? OF_MINUTES : undefined), `${age} ${seconds}`);
      assert.equal(window.present, seconds);
    }
    assert.equal(history.window(3 * DAY, 60).present, 0);
  });

  it("forgets what is older than three weeks, and passes long gaps at once", () => {
    const history = historyOf(new Array<number>(1200).fill(7));
    history.skip(20 * DAY);
    history.push(3);
    assert.equal(history.second, 1200 + 20 * DAY + 1);
    assert.deepEqual(history.window(0, 600), { meanRps: 3, highestRps: 3, present: 1 });
    assert.ok(Number.isNaN(history.window(DAY, DAY).meanRps));
    assert.ok(close(history.window(20 * DAY + 1, 1200).meanRps, 7));
    history.skip(2 * DAY);
    assert.equal(history.window(22 * DAY, 1800).present, 0);
  });

  it("weighs cells by what they have in common with the window", () => {
    const history = historyOf([...new Array<number>(10).fill(10), ...new Array<number>(10).fill(40)], 1);
    history.skip(700);
    const { meanRps, highestRps, present } = history.window(704, 12);
    assert.ok(close(meanRps, (6 * 10 + 6 * 40) / 12) && close(highestRps, 40) && present === 12);
    assert.ok(close(history.window(707, 10).highestRps, 10), "three seconds of a cell say nothing about its maximum");
  });

  it("takes a cell for missing when more than two of its seconds are", () => {
    const history = historyOf([1, 1, 1, null, null, 1, 1, 1, 1, 1, 1, 1, 1, null, null, null, 1, 1, 1, 1], 1);
    history.skip(600);
    assert.equal(history.window(610, 10).present, 10);
    assert.equal(history.window(600, 10).present, 0);
  });
});

describe("LoadHistory.from()", () => {
  const reads = (history: LoadHistory) =>
    [0, 7, 300, 599, 1000, 4003, 30_000].map(age => [history.window(age, 20), history.window(age, 700)]);

  for (const lost of [0, 17, 40]) {
    it(`goes on from cells and seconds as the original does, ${lost} cells not stored yet`, () => {
      const rates = LOADS["shifts"]!(40_007, 3).map((rate, i) => (i % 1000 < 20 ? null : rate));
      const original = historyOf(rates, 5_000_003);
      const cells = original.cellsAfter(0);
      const stored = cells.slice(0, cells.length - lost);
      const restored = LoadHistory.from(original.toRates(), original.second, stored);
      assert.deepEqual(reads(restored), reads(original));
      for (let k = 0; k < 1300; k++) {
        original.push(k % 50);
        restored.push(k % 50);
      }
      assert.deepEqual(reads(restored), reads(original));
      assert.deepEqual(restored.cellsAfter(0), original.cellsAfter(0));
    });
  }

  it("goes on from cells alone, with a gap or from a clock that is behind", () => {
    const original = historyOf(LOADS["low"]!(5000, 3), 1001);
    const gapped = LoadHistory.from([], 0, original.cellsAfter(0));
    assert.equal(gapped.second, 6000);
    gapped.startAt(6101);
    gapped.push(4);
    assert.deepEqual(gapped.window(0, 101), { meanRps: 4, highestRps: 4, present: 1 });
    assert.deepEqual(gapped.window(101, 3000), LoadHistory.from([], 0, original.cellsAfter(0)).window(0, 3000));
    const behind = LoadHistory.from([], 0, original.cellsAfter(0));
    behind.startAt(2000);
    behind.push(4);
    assert.equal(behind.second, 6001);
  });

  it("has no cells before ten seconds are over", () => {
    assert.deepEqual(historyOf([1, 2, 3]).cellsAfter(Number.NEGATIVE_INFINITY), []);
  });

  it("leaves out cells that are not later than those before", () => {
    const cell = (index: number, rate: number): LoadCell => ({ index, meanRps: rate, highestRps: rate });
    const history = LoadHistory.from([], 0, [cell(10, 1), cell(12, 2), cell(12, 9), cell(11, 9), cell(13, 3)]);
    const found = history.cellsAfter(0).map(({ index, meanRps }) => [index, Math.round(meanRps)]);
    assert.deepEqual(found, [
      [10, 1],
      [12, 2],
      [13, 3],
    ]);
  });
});
