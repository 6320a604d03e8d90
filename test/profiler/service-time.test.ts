import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { neverFalling } from "../../profiler/never-falling.ts";
import { type Run, serviceTimeOf } from "../../profiler/service-time.ts";
import { wilsonInterval } from "../../profiler/wilson-interval.ts";
import { gammaSample } from "../../variant-switcher/gamma-sample.ts";

const near = (value: number | null, expected: number, within = 1e-3) =>
  assert.ok(Math.abs((value ?? Number.NaN) - expected) <= within, `${value}, not ${expected}`);
const runs = (count: number, wallMs: number, cpuMs: number): Run[] => new Array(count).fill({ wallMs, cpuMs });

describe("serviceTimeOf()", () => {
  it("is the mean wall time on a quiet machine", () => {
    const alternating = runs(50, 10, 9.9).flatMap(run => [run, { wallMs: 12, cpuMs: 11.9 }]);
    const time = serviceTimeOf(alternating, 1);
    near(time.latencyMs, 11);
    near(time.cpuMs, 10.9);
    near(time.scv, 1 / 121);
    assert.equal(time.basis, "wall");
    near(time.disturbance, 1);
  });

  it("leaves out runs that waited for a core", () => {
    const time = serviceTimeOf([...runs(40, 10, 10), ...runs(60, 25, 10)], 1);
    near(time.latencyMs, 10);
    near(time.scv, 0);
    assert.equal(time.basis, "wall");
    near(time.disturbance, 1.9, 0.05);
  });

  it("leaves out stretches in which a neighbour made the core slower, which CPU time does not show", () => {
    const slow = serviceTimeOf([...runs(300, 0.4, 0.4), ...runs(500, 0.28, 0.28), ...runs(200, 0.45, 0.45)], 1);
    near(slow.latencyMs, 0.28);
    near(slow.cpuMs, 0.28);
    assert.equal(slow.basis, "wall");
    near(slow.disturbance, 1.25, 0.05);
    // Too short to be a neighbour: it is the model's own spread.
    const own = Array.from({ length: 100 }, (_, i) => runs(10, i % 2 === 0 ? 0.28 : 0.4, i % 2 === 0 ? 0.28 : 0.4));
    near(serviceTimeOf(own.flat(), 1).latencyMs, 0.34, 0.002);
  });

  it("leaves out nothing that is the model's own: chance, rows that take longer, a core that is faster at first", () => {
    const random = seededRandom(1);
    for (const [meanMs, scv] of [
      [0.2, 0.09],
      [4, 0.09],
      [4, 0.25],
      [20, 0.04],
    ] as const) {
      const own = Array.from({ length: Math.floor(2000 / meanMs) }, () => gammaSample(meanMs, scv, random));
      const time = serviceTimeOf(
        own.map(ms => ({ wallMs: ms, cpuMs: ms })),
        1,
      );
      const cut = Math.floor(own.length / 20);
      const usual = own.toSorted((a, b) => a - b).slice(cut, own.length - cut);
      const all = usual.reduce((sum, ms) => sum + ms, 0) / usual.length;
      assert.ok(Math.abs(time.latencyMs / all - 1) < 0.015, `${time.latencyMs}, not ${all}`);
      assert.ok(time.scv > 0.8 * scv, `${time.scv}, not ${scv}`);
    }
    // Stretches have the two kinds of rows in unequal shares.
    const rows = Array.from({ length: 100 }, () => [...runs(8, 0.5, 0.5), ...runs(8, 1, 1)]).flat();
    near(serviceTimeOf(rows, 1).latencyMs, 0.75, 0.01);
    near(serviceTimeOf([...runs(25, 2, 2), ...runs(475, 2.3, 2.3)], 1).latencyMs, 2.3, 0.02);
  });

  it("counts all runs of a model that is so slow that no two stretches of it are there", () => {
    near(serviceTimeOf([...runs(14, 100, 100), ...runs(14, 140, 140)], 1).latencyMs, 120, 1.5);
  });

  it("counts every run of another process, whose CPU time is not known", () => {
    const time = serviceTimeOf(
      [...runs(50, 10, 1), ...runs(50, 30, 1)].map(run => ({ ...run, cpuMs: null })),
      1,
    );
    near(time.latencyMs, 20);
    near(time.scv, 0.25, 0.01);
    assert.deepEqual([time.cpuMs, time.basis, time.disturbance], [null, "wall", 1]);
  });

  it("takes CPU time where nearly every run waited", () => {
    const time = serviceTimeOf([...runs(10, 10, 10), ...runs(90, 22, 11)], 1);
    near(time.latencyMs, 10.9, 0.1);
    assert.equal(time.basis, "cpu");
    near(time.disturbance, 1.92, 0.05);
  });

  it("finds from the quietest runs how well several threads share the work", () => {
    // 20 ms of CPU on 2 threads would be 10 ms at best; undisturbed it is 12.5.
    near(serviceTimeOf([...runs(60, 12.5, 20), ...runs(40, 30, 20)], 2).latencyMs, 12.5);
    const busy = serviceTimeOf([...runs(20, 12.5, 20), ...runs(80, 30, 22)], 2);
    assert.equal(busy.basis, "cpu");
    near(busy.latencyMs, 13.5, 0.1);
  });

  it("trims stragglers", () => {
    const one = [...runs(24, 10, 10), ...runs(1, 40, 40)];
    near(serviceTimeOf([...one, ...one, ...one, ...one], 1).latencyMs, 10);
  });
});

describe("neverFalling()", () => {
  it("gives violators their mean", () => {
    assert.deepEqual(neverFalling([10, 14, 12, 20]), [10, 13, 13, 20]);
    assert.deepEqual(neverFalling([3, 2, 1]), [2, 2, 2]);
  });

  it("never falls, keeps the sum, and leaves alone what does not fall", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.01, max: 1e4, noNaN: true }), { maxLength: 8 }), values => {
        const fitted = neverFalling(values);
        assert.equal(fitted.length, values.length);
        for (const [i, value] of fitted.entries()) assert.ok(value >= (fitted[i - 1] ?? 0) - 1e-9);
        const sum = (all: readonly number[]) => all.reduce((total, value) => total + value, 0);
        near(sum(fitted), sum(values), 1e-6);
        const rising = [...values].sort((a, b) => a - b);
        for (const [i, value] of neverFalling(rising).entries()) near(value, rising[i]!, 1e-9);
      }),
    );
  });
});

describe("wilsonInterval()", () => {
  it("is that of the textbook", () => {
    const [low, high] = wilsonInterval(9, 10);
    near(low, 0.5958);
    near(high, 0.9821);
  });

  it("is within 0 and 1 and has the proportion in it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (trials, share) => {
        const successes = Math.round(share * trials);
        const [low, high] = wilsonInterval(successes, trials);
        assert.ok(low >= 0 && high <= 1 && low <= successes / trials + 1e-12 && high >= successes / trials - 1e-12);
      }),
    );
  });
});
