import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { expectedLoad, GENERATED_START_MS, generateLoad, type LoadSpec } from "../../load/generate-load.ts";
import type { LoadComponent } from "../../load/load-component.ts";
import { LOAD_KINDS, mixedLoad } from "../../load/load-kinds.ts";
import { samplesOf } from "../../load/load-trace.ts";

const HOUR = 3600;
const DAY = 86_400;

function specOf(baseRps: number, ...components: readonly LoadComponent[]): LoadSpec {
  return { baseRps, components, groupSize: 1 };
}

function ratesOf(spec: LoadSpec, seconds: number, seed: number): number[] {
  return [...generateLoad(spec, seconds, seed).ratesRps];
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function dispersionOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return meanOf(values.map(value => (value - mean) ** 2)) / mean;
}

function highestOf(values: readonly number[]): number {
  return values.reduce((highest, value) => Math.max(highest, value), 0);
}

function courseOf(spec: LoadSpec, seconds: number, seed: number): number[] {
  const expected = expectedLoad(spec, seed);
  return Array.from({ length: seconds }, (_, second) => expected(second).rateRps);
}

describe("generateLoad()", () => {
  it("gives whole counts, the same for the same seed and others for another, whatever the load", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), seed => {
        const spec = mixedLoad(seed);
        const rates = ratesOf(spec, 900, seed);
        assert.deepEqual(ratesOf(spec, 900, seed), rates);
        assert.ok(rates.every(rate => Number.isNaN(rate) || (Number.isSafeInteger(rate) && rate >= 0)));
      }),
    );
    assert.notDeepEqual(ratesOf(LOAD_KINDS.steady, 60, 1), ratesOf(LOAD_KINDS.steady, 60, 2));
  });

  it("draws a Poisson process of the expected rate, at low and at high rates", () => {
    for (const rate of [0.2, 9, 11, 500, 1e5]) {
      const rates = ratesOf(specOf(rate), 40_000, 3);
      // Four standard deviations of a mean and of a variance of 40,000 counts.
      assert.ok(Math.abs(meanOf(rates) - rate) < 4 * Math.sqrt(rate / 40_000), `${rate}: ${meanOf(rates)}`);
      assert.ok(Math.abs(dispersionOf(rates) - 1) < 4 * Math.sqrt((2 + 1 / rate) / 40_000), `${rate}`);
    }
  });

  it("keeps the rate and multiplies the dispersion where requests come in groups", () => {
    const rates = ratesOf({ ...specOf(40), groupSize: 4 }, 40_000, 5);
    assert.ok(Math.abs(meanOf(rates) - 40) < 0.4, String(meanOf(rates)));
    // Geometric groups of mean m: 2m − 1.
    assert.ok(Math.abs(dispersionOf(rates) - 7) < 0.4, String(dispersionOf(rates)));
  });

  it("leaves the other components and the seconds after a gap as they were when one is added", () => {
    const shifts: LoadComponent = { kind: "shifts", meanSeconds: 300, sigma: 0.5 };
    const plain = ratesOf(specOf(20, shifts), 5000, 8);
    const holed = ratesOf(specOf(20, shifts, { kind: "gaps", meanSeconds: 300, meanLengthSeconds: 20 }), 5000, 8);
    const missing = holed.filter(Number.isNaN).length;
    assert.ok(missing > 20 && missing < 1000, String(missing));
    assert.deepEqual(
      holed.map((rate, i) => (Number.isNaN(rate) ? plain[i] : rate)),
      plain,
    );
  });
});

describe("the expected rate", () => {
  it("has its top where the season says, and its factor of the day of the week", () => {
    const course = courseOf(
      specOf(
        100,
        { kind: "season", periodSeconds: DAY, amplitude: 0.5, topSeconds: 15 * HOUR },
        { kind: "week", factors: [1, 1, 1, 1, 1, 0.5, 0.5] },
      ),
      7 * DAY,
      1,
    );
    assert.equal(new Date(GENERATED_START_MS).getUTCDay(), 1);
    assert.ok(Math.abs(course[15 * HOUR]! - 150) < 1e-9 && Math.abs(course[3 * HOUR]! - 50) < 1e-9);
    assert.ok(Math.abs(course[5 * DAY + 15 * HOUR]! - 75) < 1e-9);
  });

  it("bursts in every period, not at the exact second, and leaves some out", () => {
    const bursts: LoadComponent = {
      kind: "bursts",
      periodSeconds: 1800,
      startSeconds: 200,
      lengthSeconds: 100,
      factor: 3,
      jitterSeconds: 10,
      chance: 0.8,
    };
    const course = courseOf(specOf(10, bursts), 2 * DAY, 2);
    const starts: number[] = [];
    for (let period = 0; period < 96; period++) {
      const first = course.slice(period * 1800, (period + 1) * 1800).findIndex(rate => rate > 10 + 1e-9);
      if (first >= 0) starts.push(first);
    }
    assert.ok(starts.length > 64 && starts.length < 90, String(starts.length));
    assert.ok(Math.min(...starts) >= 190 && Math.max(...starts) <= 212 && new Set(starts).size > 5);
    const top = highestOf(course);
    assert.ok(top > 30 && top <= 40, String(top));
  });

  it("takes each state and each level for its mean time", () => {
    const states = courseOf(specOf(10, { kind: "states", factors: [1, 4], meanSeconds: 60 }), 2 * DAY, 3);
    const high = states.filter(rate => rate === 40).length / states.length;
    assert.ok(Math.abs(high - 0.5) < 0.06 && states.every(rate => rate === 10 || rate === 40), String(high));
    const shifted = courseOf(specOf(10, { kind: "shifts", meanSeconds: 600, sigma: 0.5 }), 2 * DAY, 3);
    assert.ok(Math.abs(new Set(shifted).size - 288) < 70, String(new Set(shifted).size));
  });

  it("rises within the rise of a flash crowd and falls by half each half-life", () => {
    const course = courseOf(
      specOf(10, { kind: "flashCrowds", meanSeconds: 2000, factor: 5, riseSeconds: 30, halfLifeSeconds: 100 }),
      1500,
      2,
    );
    const start = course.findIndex(rate => rate > 10);
    const top = course.indexOf(highestOf(course));
    assert.ok(start > 0 && top - start >= 29 && top - start <= 30, `${start} ${top}`);
    assert.ok(course[top]! > 25 && course[top]! < 70, String(course[top]));
    assert.ok(Math.abs((course[top + 100]! - 10) / (course[top]! - 10) - 0.5) < 0.01);
  });

  it("is on and off for the mean times, and wanders about 1 with its deviation", () => {
    const onOff = courseOf(specOf(0, { kind: "onOff", rateRps: 7, meanOnSeconds: 20, meanOffSeconds: 60 }), 2 * DAY, 4);
    assert.ok(Math.abs(meanOf(onOff) - 7 / 4) < 0.2, String(meanOf(onOff)));
    const wandering = courseOf(specOf(1, { kind: "wander", memorySeconds: 60, sigma: 0.2 }), 2 * DAY, 4);
    const logarithms = wandering.map(Math.log);
    const deviation = Math.sqrt(meanOf(logarithms.map(value => (value + 0.02) ** 2)));
    assert.ok(Math.abs(meanOf(wandering) - 1) < 0.02 && Math.abs(deviation - 0.2) < 0.02, String(deviation));
  });
});

describe("mixedLoad()", () => {
  it("is another load for each seed, from less than one request a second to more than a thousand", () => {
    const means = Array.from({ length: 300 }, (_, seed) => {
      const known = ratesOf(mixedLoad(seed), 600, seed).filter(rate => !Number.isNaN(rate));
      return known.length > 0 ? meanOf(known) : 0;
    });
    assert.ok(means.filter(mean => mean < 1).length > 20 && means.filter(mean => mean > 300).length > 20);
    assert.equal(new Set(Array.from({ length: 300 }, (_, seed) => JSON.stringify(mixedLoad(seed)))).size, 300);
    const kinds = new Set(
      Array.from({ length: 300 }, (_, seed) => mixedLoad(seed).components.map(({ kind }) => kind)).flat(),
    );
    for (const kind of [
      "season",
      "week",
      "bursts",
      "shifts",
      "wander",
      "states",
      "flashCrowds",
      "onOff",
      "gaps",
    ] as const)
      assert.ok(kinds.has(kind), kind);
  });
});

describe("samplesOf()", () => {
  it("gives the known seconds at their ends and leaves out the others", () => {
    const ratesRps = Float64Array.of(3, Number.NaN, 0);
    assert.deepEqual(
      [...samplesOf({ startMs: 5000, ratesRps })],
      [
        { atMs: 6000, rateRps: 3 },
        { atMs: 8000, rateRps: 0 },
      ],
    );
  });

  it("hides the same seconds of every day", () => {
    const { ratesRps } = generateLoad(
      specOf(5, { kind: "dailyGap", startSeconds: 100, lengthSeconds: 50 }),
      2 * DAY,
      1,
    );
    const missing = [...ratesRps.keys()].filter(second => Number.isNaN(ratesRps[second]));
    assert.deepEqual([missing.length, missing[0], missing[49], missing[50]], [100, 100, 149, DAY + 100]);
  });
});
