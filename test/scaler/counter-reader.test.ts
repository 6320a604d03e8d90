import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { LoadSample } from "../../domain/load.ts";
import { awaitedForMs, scrapeIntervalOf } from "../../scaler/counter-intervals.ts";
import { missingOf, readSeconds } from "../../scaler/counter-reader.ts";
import type { PrometheusSeries } from "../../scaler/prometheus-answer.ts";

const BASE_MS = 1_700_000_000_000;

/** Points every `intervalMs` from `fromMs` on, after BASE_MS. */
function scraped(labels: string, fromMs: number, intervalMs: number, values: readonly number[]): PrometheusSeries {
  return { labels, points: values.map((value, i) => ({ atMs: BASE_MS + fromMs + i * intervalMs, value })) };
}

/** What can be seen of them at a time. */
function until(series: readonly PrometheusSeries[], atMs: number): readonly PrometheusSeries[] {
  return series
    .map(({ labels, points }) => ({ labels, points: points.filter(point => point.atMs <= atMs) }))
    .filter(({ points }) => points.length > 0);
}

function read(series: readonly PrometheusSeries[], intervalMs: number, toMs: number, fromMs = 0) {
  return readSeconds(until(series, BASE_MS + toMs), intervalMs, BASE_MS + fromMs, BASE_MS + toMs);
}

/** Seconds after BASE_MS, and the rate. */
function shown(samples: readonly LoadSample[]): readonly (readonly [number, number])[] {
  return samples.map(({ atMs, rateRps }) => [(atMs - BASE_MS) / 1000, rateRps]);
}

const sum = (samples: readonly LoadSample[]) => samples.reduce((total, { rateRps }) => total + rateRps, 0);

describe("readSeconds()", () => {
  it("gives what was counted between two scrapes to its seconds, and none after the newest scrape", () => {
    const { samples, readToMs, nextMs } = read([scraped("a", 0, 15_000, [1000, 1300, 1900])], 15_000, 33_000);
    assert.equal(samples.length, 30);
    assert.equal(sum(samples.slice(0, 15)), 300);
    assert.equal(sum(samples.slice(15)), 600);
    assert.equal(readToMs, BASE_MS + 30_000);
    assert.equal(nextMs, BASE_MS + 45_000);
  });

  it("reads the same in any steps, and all that was counted, whatever the phases of the scrapes", () => {
    const phase = fc.integer({ min: 0, max: 4999 });
    const steps = fc.array(fc.integer({ min: 300, max: 9000 }), { minLength: 5, maxLength: 40 });
    const counts = fc.array(fc.nat(5000), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(phase, phase, counts, steps, (phaseA, phaseB, growth, waits) => {
        let total = 0;
        const values = growth.map(one => (total += one));
        const series = [
          scraped("a", -5000 + phaseA, 5000, values),
          scraped(
            "b",
            -5000 + phaseB,
            5000,
            values.map(value => 2 * value),
          ),
        ];
        let [fromMs, atMs] = [BASE_MS, BASE_MS];
        const inSteps: LoadSample[] = [];
        for (const waitMs of waits) {
          atMs = Math.min(atMs + waitMs, BASE_MS + 90_000);
          const got = readSeconds(until(series, atMs), 5000, fromMs, atMs);
          assert.ok(got.readToMs >= fromMs);
          inSteps.push(...got.samples);
          fromMs = got.readToMs;
        }
        const atOnce = readSeconds(until(series, atMs), 5000, BASE_MS, atMs);
        assert.deepEqual(inSteps, atOnce.samples);
        assert.ok(inSteps.every(({ rateRps }) => rateRps >= 0 && Number.isInteger(rateRps)));
        assert.equal(inSteps.length, (fromMs - BASE_MS) / 1000);
      }),
      { numRuns: 60 },
    );
  });

  it("sums series up, each with scrapes of its own times", () => {
    const rising = (perSecond: number, fromMs: number) =>
      Array.from({ length: 40 }, (_, i) => perSecond * (fromMs / 1000 + 2 * i));
    const series = [scraped("a", 0, 2000, rising(3000, 0)), scraped("b", 700, 2000, rising(1000, 700))];
    const { samples } = read(series, 2000, 60_000, 10_000);
    const mean = sum(samples) / samples.length;
    assert.ok(Math.abs(mean - 4000) < 40, String(mean));
  });

  it("leaves the seconds of a gap missing, and those before the first scrape", () => {
    const before = scraped("a", 5000, 5000, [0, 50, 100]);
    const after = scraped("a", 60_000, 5000, [400, 450, 500]);
    const { samples } = read([{ labels: "a", points: [...before.points, ...after.points] }], 5000, 70_000);
    const seconds = shown(samples).map(([second]) => second);
    assert.deepEqual(seconds, [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70]);
    assert.equal(sum(samples), 200);
  });

  it("bridges one scrape that was missed", () => {
    const points = scraped("a", 0, 5000, [0, 50, 100, 150]).points.filter((_, i) => i !== 2);
    const { samples } = read([{ labels: "a", points }], 5000, 15_000);
    assert.equal(samples.length, 15);
    assert.equal(sum(samples), 150);
  });

  it("leaves out the interval of a reset, whatever the counter shows after it", () => {
    for (const after of [0, 20, 999_999]) {
      const values = [1_000_000, 1_000_050, after, after + 50, after + 100];
      const { samples } = read([scraped("a", 0, 5000, values)], 5000, 20_000);
      const seconds = shown(samples).map(([second]) => second);
      assert.deepEqual(seconds, [1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20], `after ${after}`);
      assert.equal(sum(samples), 150);
    }
  });

  it("gives no total while one of several is in its reset", () => {
    const series = [scraped("a", 0, 5000, [10, 20, 5, 15]), scraped("b", 0, 5000, [0, 5, 10, 15])];
    const { samples } = read(series, 5000, 15_000);
    assert.deepEqual([...new Set(shown(samples).map(([second]) => Math.ceil(second / 5)))], [1, 3]);
  });

  it("waits for a series that is late, and goes on without it when it is gone", () => {
    const series = [scraped("a", 0, 5000, [0, 50, 100, 150, 200, 250]), scraped("b", 0, 5000, [0, 500])];
    assert.equal(read(series, 5000, 10_000).readToMs, BASE_MS + 5000);
    assert.equal(read(series, 5000, 5000 + awaitedForMs(5000) - 1).readToMs, BASE_MS + 5000);
    const later = read(series, 5000, 20_000, 5000);
    assert.equal(later.readToMs, BASE_MS + 20_000);
    assert.equal(sum(later.samples), 150);
  });

  it("takes a series that is new from its second scrape on, not by what it counted before", () => {
    const series = [scraped("a", 0, 5000, [0, 50, 100, 150]), scraped("b", 5000, 5000, [1e6, 1e6 + 50, 1e6 + 100])];
    assert.equal(sum(read(series, 5000, 15_000).samples), 250);
  });

  it("refuses values that are no counts, and rates that can't be", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -5]) {
      const got = read([scraped("a", 0, 5000, [0, 50, value, 150])], 5000, 15_000);
      assert.equal(got.refused, 1);
      assert.equal(sum(got.samples), 150);
    }
    const huge = read([scraped("a", 0, 5000, [0, 1e12, 1e12 + 50])], 5000, 10_000);
    assert.equal(huge.refused, 1);
    assert.deepEqual(
      shown(huge.samples).map(([second]) => second),
      [6, 7, 8, 9, 10],
    );
  });

  it("gives up the seconds that nobody counted, in time", () => {
    const { readToMs, samples } = read([scraped("a", 0, 5000, [0, 50])], 5000, 100_000, 5000);
    assert.deepEqual(samples, []);
    assert.equal(readToMs, BASE_MS + 100_000 - awaitedForMs(5000));
  });
});

describe("missingOf()", () => {
  it("says what is missing: the series, or new scrapes, or scrapes often enough", () => {
    assert.match(missingOf(null, 5000, 10_000) ?? "", /no such series/);
    assert.equal(missingOf(5000, 5000, 5000 + awaitedForMs(5000)), null);
    assert.match(missingOf(5000, 5000, 60_000) ?? "", /newest scrape is 55 s old/);
    assert.match(missingOf(5000, 120_000, 10_000) ?? "", /120 s apart/);
  });
});

describe("scrapeIntervalOf()", () => {
  it("is the median, which one gap does not move", () => {
    assert.equal(scrapeIntervalOf([scraped("a", 0, 15_000, [1, 2, 3, 4])]), 15_000);
    const gap = [...scraped("a", 0, 5000, [1, 2, 3]).points, ...scraped("a", 90_000, 5000, [4, 5]).points];
    assert.equal(scrapeIntervalOf([{ labels: "a", points: gap }]), 5000);
    assert.equal(scrapeIntervalOf([scraped("a", 0, 1, [1])]), null);
    assert.equal(scrapeIntervalOf([scraped("a", 0, 300_000, [1, 2])]), 120_000);
  });
});
