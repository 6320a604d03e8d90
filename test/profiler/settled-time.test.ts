import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { noiseText, noisyPoint } from "../../profiler/noise-text.ts";
import type { ServiceTime } from "../../profiler/service-time.ts";
import { settledTimeOf } from "../../profiler/settled-time.ts";
import { variantTimesOf } from "../../profiler/variant-times.ts";
import type { VariantVisit } from "../../profiler/visit-variant.ts";

const windowOf = (latencyMs: number, above: Partial<ServiceTime> = {}): ServiceTime => ({
  ...{ latencyMs, cpuMs: latencyMs, scv: 0.01, disturbance: 1, basis: "wall" },
  ...above,
});
const settled = (...times: number[]) =>
  settledTimeOf(
    times.map(ms => windowOf(ms)),
    1,
  );
const near = (value: number | null | undefined, expected: number) =>
  assert.ok(Math.abs((value ?? Number.NaN) - expected) < 1e-9, `${value}, not ${expected}`);

describe("settledTimeOf()", () => {
  it("is settled by two windows that agree, in whatever order, and leaves out those that a neighbour made slow", () => {
    for (const times of [
      [18, 10, 10.4],
      [10.4, 10, 18],
    ]) {
      const { latencyMs, cpuMs, isSettled, spread } = settled(...times);
      assert.equal(isSettled, true);
      near(latencyMs, 10.2);
      near(cpuMs, 10.2);
      near(spread, 0.04);
    }
    near(settled(10, 10.4, 10.8).latencyMs, 10.4);
  });

  it("is not settled by one window, nor by two slow ones beside a faster one, nor by one that is 80 % slower", () => {
    assert.equal(settled(10).isSettled, false);
    assert.equal(settled(18, 18, 10).isSettled, false);
    const { isSettled, latencyMs, spread } = settled(18, 10);
    assert.equal(isSettled, false);
    near(latencyMs, 14);
    near(spread, 0.8);
  });

  it("lets times so short differ that hardly anything can be told of them", () => {
    assert.equal(settled(0.03, 0.05).isSettled, true);
    assert.equal(settled(0.03, 0.06).isSettled, false);
    assert.equal(settled(30, 50).isSettled, false);
  });

  it("is not sure of such times before two are near the fastest, and takes those alone then", () => {
    assert.equal(settled(0.03, 0.05).isSure, false);
    near(settled(0.03, 0.05).latencyMs, 0.04);
    const { isSure, latencyMs } = settled(0.03, 0.05, 0.034);
    assert.equal(isSure, true);
    near(latencyMs, 0.032);
    assert.equal(settled(10, 10.4).isSure, true);
    const remote = [windowOf(0.03, { cpuMs: null }), windowOf(0.05, { cpuMs: null })];
    assert.equal(settledTimeOf(remote, 1).isSure, true);
  });

  it("takes the word of CPU time for one thread, and not for several, which wait for each other", () => {
    const busy = windowOf(10, { basis: "cpu" });
    assert.equal(settledTimeOf([busy, busy], 1).isSettled, true);
    assert.equal(settledTimeOf([busy, busy, busy], 2).isSettled, false);
    assert.equal(settledTimeOf([busy, windowOf(10.2)], 2).isSettled, false);
    assert.equal(settledTimeOf([busy, windowOf(10.2), windowOf(10.4)], 2).isSettled, true);
  });

  it("tells how disturbed the worst window was, and has no CPU time where one window has none", () => {
    const time = settledTimeOf([windowOf(10, { disturbance: 3, basis: "cpu" }), windowOf(10, { cpuMs: null })], 1);
    assert.deepEqual([time.disturbance, time.basis, time.cpuMs], [3, "cpu", null]);
  });
});

describe("noisyPoint()", () => {
  const point = { stage: "read", variant: "light", batch: 4 };

  it("says how far windows are apart, or why they confirm nothing", () => {
    assert.equal(noisyPoint({ ...point, spread: 0.8 }), "read/light at batch 4 (80 % apart)");
    const threads = noisyPoint({ ...point, cores: 2, spread: 0.03 });
    assert.equal(threads, "read/light on 2 cores at batch 4 (its threads waited for cores)");
  });
});

describe("noiseText()", () => {
  const noise = Array.from({ length: 10 }, (_, i) => ({ stage: "read", variant: `v${i}`, batch: 1, spread: 0.5 }));

  it("names some of what is noisy, and says what is kept where something is", () => {
    const text = noiseText(noise, 3.21, "profile.json");
    assert.match(
      text,
      /read\/v7 at batch 1 \(50 % apart\), 2 more\. Runs took up to 3\.2 times .*again: it measures these/,
    );
    assert.match(
      noiseText(noise.slice(0, 1), 1, null),
      /about read\/v0 at batch 1 \(50 % apart\)\. .*again\. More time/,
    );
  });
});

describe("variantTimesOf()", () => {
  const visit = (times: Record<number, number>, loadsMs: readonly number[] = [50]): VariantVisit => ({
    ...{ loadsMs, memoryMiB: 30, isRefused: false },
    windows: Object.entries(times).map(([batch, ms]) => ({ batch: Number(batch), fill: null, time: windowOf(ms) })),
  });

  it("names the batch sizes that no two windows agree about", () => {
    const { noisy, doubtful } = variantTimesOf([visit({ 1: 18, 2: 20 }), visit({ 1: 10, 2: 20.5 })], 1);
    assert.deepEqual(
      noisy.map(({ batch }) => batch),
      [1],
    );
    near(noisy[0]?.spread, 0.8);
    assert.deepEqual(doubtful, [1]);
    const again = [visit({ 1: 18, 2: 20 }), visit({ 1: 10, 2: 20.5 }), visit({ 1: 10.2 })];
    const { noisy: none, profile } = variantTimesOf(again, 2);
    assert.deepEqual(none, []);
    assert.equal(profile.cores, 2);
    assert.deepEqual(
      profile.points.map(({ batch, latencyMs, spread }) => [batch, latencyMs, spread]),
      [
        [1, 10.1, 0.02],
        [2, 20.25, 0.025],
      ],
    );
  });

  it("doubts short batches whose windows are further apart than those of long ones may be", () => {
    const { noisy, doubtful } = variantTimesOf([visit({ 1: 0.1, 2: 10 }), visit({ 1: 0.125, 2: 10.9 })], 1);
    assert.deepEqual([noisy, doubtful], [[], [1]]);
    const again = variantTimesOf([visit({ 1: 0.1, 2: 10 }), visit({ 1: 0.125, 2: 10.9 }), visit({ 1: 0.104 })], 1);
    assert.deepEqual(again.doubtful, []);
    assert.equal(again.profile.points[0]?.latencyMs, 0.102);
  });

  it("doubts what two windows agree about where a larger batch is faster, and takes it for the model's way in the end", () => {
    const visits = [visit({ 1: 18, 2: 15 }), visit({ 1: 18, 2: 15 })];
    const { noisy, doubtful, profile } = variantTimesOf(visits, 1);
    assert.deepEqual([noisy, doubtful], [[], [1]]);
    assert.deepEqual(
      profile.points.map(({ latencyMs }) => latencyMs),
      [16.5, 16.5],
    );
  });

  it("tries the next batch size where settled times say that it may pay, whatever the first window said", () => {
    // A neighbour made batch 4 slow at first.
    const first = visit({ 1: 10, 2: 15, 4: 60 });
    const again = visit({ 1: 10, 2: 15, 4: 20 });
    assert.equal(variantTimesOf([first, again], 1).next, null);
    assert.equal(variantTimesOf([first, again, visit({ 4: 20 })], 1).next, 8);
    assert.equal(variantTimesOf([first, again, { ...visit({ 4: 20 }), isRefused: true }], 1).next, null);
    const slow = visit({ 1: 10, 2: 20, 4: 40 });
    assert.equal(variantTimesOf([slow, slow], 1).next, null);
    const grown = variantTimesOf([first, again, visit({ 4: 20, 8: 30 }), visit({ 8: 30 })], 1);
    assert.deepEqual(
      grown.profile.points.map(({ batch, latencyMs }) => [batch, latencyMs]),
      [
        [1, 10],
        [2, 15],
        [4, 20],
        [8, 30],
      ],
    );
    assert.equal(grown.next, 16);
  });

  it("takes the median of all loads", () => {
    const { profile } = variantTimesOf([visit({ 1: 1 }, [256, 40, 41]), visit({ 1: 1 }, [42, 39, 300])], 1);
    assert.equal(profile.loadMs, 41.5);
    assert.equal(variantTimesOf([visit({ 1: 1 }, [256, 40, 41])], 1).profile.loadMs, 41);
  });
});
