import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { type StageLoad, stageLatency } from "../../optimizer/latency.ts";
import { atRandom } from "../../optimizer/served-latency.ts";
import { serviceTimeOf } from "../../optimizer/service-time.ts";
import { pathQuantileMs } from "../../optimizer/stage-mixture.ts";
import { CELLS, chanceWithin, cumulativeOf } from "../../optimizer/wait-distribution.ts";

const single: StageLoad = {
  rowRps: 80,
  groupRows: 1,
  replicas: 1,
  batch: 1,
  service: { meanMs: () => 10, scv: () => 0 },
};

const load: fc.Arbitrary<StageLoad> = fc
  .record({
    share: fc.double({ min: 0, max: 0.94, noNaN: true }),
    groupRows: fc.double({ min: 0.1, max: 20, noNaN: true }),
    replicas: fc.integer({ min: 1, max: 12 }),
    batch: fc.integer({ min: 1, max: 16 }),
    fixed: fc.double({ min: 0, max: 1, noNaN: true }),
    scv: fc.constantFrom(0, 0.02, 0.6, 1, 30),
    rowShare: fc.constantFrom(1, 1, 0.75, 0.25, 0.01),
  })
  .map(({ share, fixed, scv, ...rest }) => {
    const meanMs = (rows: number) => 10 * (fixed + (1 - fixed) * rows);
    const rowRps = (1000 * share * rest.replicas * rest.batch) / meanMs(rest.batch);
    return { ...rest, rowRps, service: { meanMs, scv: () => scv } };
  });

function meanMs(load: StageLoad): number {
  const latency = stageLatency(load);
  const stepMs = 1;
  const late = cumulativeOf(latency, stepMs, 4_000).reduce((sum, chance) => sum + (1 - chance) * stepMs, 0);
  return latency.constantMs + late;
}

describe("stageLatency()", () => {
  it("is the worked example: M/D/1 at 0.8", () => {
    const latency = stageLatency(single);
    assert.equal(latency.constantMs, 10);
    assert.ok(Math.abs(latency.waitShare - 0.8) < 1e-12);
    assert.equal(latency.residualMs, 10);
    // M/D/1's waiting time falls with 10/z ms where 0.8·(e^z − 1) = z.
    const z = 10 / latency.backlogMs;
    assert.ok(Math.abs(0.8 * Math.expm1(z) - z) < 1e-5, `${latency.backlogMs}`);
    assert.ok(Math.abs(latency.backlogShare * latency.backlogMs - 20) < 1e-9);
    assert.ok(Math.abs(meanMs(single) - 30) < 1e-6, `${meanMs(single)}`);
  });

  it("has the tail of M/G/1 for gamma service times, between those of constant and of exponential ones", () => {
    for (const scv of [0.05, 0.1, 0.3, 0.5, 0.8, 1])
      for (const load of [0.3, 0.6, 0.85]) {
        // P[wait > x] falls with e^(−zx/10) where load·(E[e^(zS)] − 1) = z.
        let [low, high] = [1e-6, 1 / scv - 1e-9];
        for (let i = 0; i < 100; i++) {
          const z = (low + high) / 2;
          if (load * ((1 - scv * z) ** (-1 / scv) - 1) < z) low = z;
          else high = z;
        }
        const { backlogMs } = stageLatency({
          ...single,
          rowRps: 100 * load,
          service: { meanMs: () => 10, scv: () => scv },
        });
        assert.ok(
          Math.abs((backlogMs * low) / 10 - 1) < 0.02,
          `${backlogMs} against ${10 / low} at ${load}, scv ${scv}`,
        );
      }
  });

  it("keeps a replica that serves row by row busy for no longer than the rows take, whatever the groups", () => {
    for (const groupRows of [1, 1.1, 1.5, 2.2])
      assert.ok(Math.abs(stageLatency({ ...single, groupRows }).waitShare - 0.8) < 1e-9, `${groupRows}`);
  });

  it("serves a group in rounds: 5 rows, 2 replicas, batches of 2", () => {
    const service = { meanMs: (rows: number) => 10 + rows, scv: () => 0 };
    assert.equal(stageLatency({ rowRps: 0, groupRows: 5, replicas: 2, batch: 2, service }).constantMs, 23);
    assert.equal(stageLatency({ rowRps: 0, groupRows: 5, replicas: 3, batch: 2, service }).constantMs, 12);
    assert.equal(stageLatency({ rowRps: 0, groupRows: 5, replicas: 1, batch: 8, service }).constantMs, 15);
  });

  it("counts a group as large as nearly all are: one of three rows among fifty of two is rare, one among three is not", () => {
    const service = { meanMs: (rows: number) => 10 * rows, scv: () => 0 };
    const idleMs = (groupRows: number) =>
      stageLatency({ rowRps: 0, groupRows, replicas: 1, batch: 4, service }).constantMs;
    assert.ok(Math.abs(idleMs(2.02) - 20.8) < 1e-9, `${idleMs(2.02)}`);
    assert.equal(idleMs(2.25), 30);
    assert.equal(idleMs(2.5), 30);
  });

  it("has no wait without load, and the mean of the service time whatever its variation", () => {
    for (const scv of [0, 0.02, 0.6, 1, 5]) {
      const idle = { ...single, rowRps: 0, service: { meanMs: () => 10, scv: () => scv } };
      assert.equal(stageLatency(idle).waitShare, 0);
      assert.ok(Math.abs(meanMs(idle) - 10) < 0.01, `scv ${scv}: ${meanMs(idle)}`);
    }
  });

  it("never becomes shorter when the load rises", () => {
    fc.assert(
      fc.property(load, fc.double({ min: 0, max: 1, noNaN: true }), (heavy, part) => {
        const light = { ...heavy, rowRps: heavy.rowRps * part };
        const before = cumulativeOf(stageLatency(light), 5);
        const after = cumulativeOf(stageLatency(heavy), 5);
        after.forEach((chance, i) => {
          assert.ok(chance <= before[i]! + 1e-9, `${chance} above ${before[i]} at ${i}`);
        });
        assert.ok(stageLatency(heavy).constantMs >= stageLatency(light).constantMs);
      }),
      { numRuns: 500 },
    );
  });

  it("never becomes shorter when the load rises and batches take hardly longer for more rows", () => {
    const random = seededRandom(7);
    const pick = (values: readonly number[]) => values[Math.floor(random() * values.length)] ?? 1;
    for (let i = 0; i < 2000; i++) {
      const perRow = 0.4 * random();
      const service = { meanMs: (rows: number) => 20 * (1 - perRow + perRow * rows), scv: () => 0.01 };
      const [batch, replicas, groupRows, rowShare] = [
        pick([2, 4, 8, 16]),
        pick([1, 3, 5, 8]),
        pick([1, 2, 5]),
        pick([0.5, 1]),
      ];
      const fullRps = (1000 * replicas * batch) / service.meanMs(batch);
      const stepMs = (service.meanMs(batch) * (1 + 4 * random())) / CELLS;
      let before = 1;
      for (let share = 0.1; share < 1; share += 0.05) {
        const latency = stageLatency({ rowRps: share * fullRps, groupRows, rowShare, replicas, batch, service });
        const within = chanceWithin(cumulativeOf(latency, stepMs), stepMs, CELLS * stepMs - latency.constantMs);
        assert.ok(
          within <= before + 1e-6,
          `${within} above ${before}: batch ${batch}, ${replicas} replicas, ${share} full`,
        );
        before = within;
      }
    }
  });

  it("is finite for whatever load", () => {
    const hostile = fc.record({
      rowRps: fc.constantFrom(0, 1e-300, 1, 1e7, 1e19),
      groupRows: fc.constantFrom(0, 1e-9, 1, 1e12),
      replicas: fc.constantFrom(0, 1, 1e4),
      batch: fc.constantFrom(1, 1024),
      rowShare: fc.constantFrom(0, 1e-300, 0.1, 0.999_999_999_999, 1),
      service: fc
        .constantFrom(1e-300, 1, 1e9)
        .map(latencyMs =>
          serviceTimeOf({ cores: 1, loadMs: 0, points: [{ batch: 1, latencyMs, scv: 100 }] }, Number.NaN),
        ),
    });
    fc.assert(
      fc.property(hostile, given => {
        for (const latency of [stageLatency(given), atRandom(given)])
          for (const share of [1, given.rowShare]) {
            const parts = [{ share, latency }].concat(share < 1 ? [{ share: 1 - share, latency }] : []);
            const ms = pathQuantileMs([{ rows: given.groupRows, parts }], 0.99);
            assert.ok(Number.isFinite(ms) && ms >= 0, `${ms}`);
            for (const chance of cumulativeOf(latency, 1)) assert.ok(chance >= 0 && chance <= 1, `${chance}`);
          }
      }),
      { numRuns: 300 },
    );
  });
});

describe("serviceTimeOf()", () => {
  const profile = {
    cores: 1,
    loadMs: 0,
    points: [
      { batch: 1, latencyMs: 10, scv: 0.1 },
      { batch: 4, latencyMs: 16, scv: 0.2 },
    ],
  };

  it("multiplies by the correction, between 0.5 and 2", () => {
    assert.equal(serviceTimeOf(profile, 1.5).meanMs(4), 24);
    assert.equal(serviceTimeOf(profile, 100).meanMs(4), 32);
    assert.equal(serviceTimeOf(profile, 0).meanMs(4), 8);
    assert.equal(serviceTimeOf(profile, Number.NaN).meanMs(4), 16);
  });

  it("takes the variation of the next measured batch size", () => {
    assert.deepEqual(
      [1, 2, 4, 9].map(rows => serviceTimeOf(profile, 1).scv(rows)),
      [0.1, 0.2, 0.2, 0.2],
    );
  });
});
