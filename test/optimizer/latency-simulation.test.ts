import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { stageLatency } from "../../optimizer/latency.ts";
import { pathQuantileMs } from "../../optimizer/stage-mixture.ts";
import { mixtureOf, randomSplit, SPLITS, type SplitStage, simulateSplit } from "./parts-simulation.ts";
import { randomStage, type SimulatedStage, simulateStage } from "./stage-simulation.ts";

interface Case {
  readonly name: string;
  readonly stage: SimulatedStage;
}

/** Stages with a utilisation of full batches, whose service time is a fixed part plus a part per row. */
function cases(utilisations: readonly number[]): Case[] {
  const shapes = [
    { batch: 1, fixed: 0 },
    { batch: 4, fixed: 0.5 },
    { batch: 8, fixed: 0.5 },
    { batch: 8, fixed: 0.9 },
  ];
  return utilisations.flatMap(utilisation =>
    [1, 2.5, 5, 10].flatMap(groupRows =>
      [1, 2, 4, 8].flatMap(replicas =>
        shapes.map(({ batch, fixed }) => {
          const serviceMs = (rows: number) => 10 * (fixed + (1 - fixed) * rows);
          const rowRps = (1000 * utilisation * replicas * batch) / serviceMs(batch);
          const name = `utilisation ${utilisation}, rows ${groupRows}, replicas ${replicas}, batch ${batch}, fixed ${fixed}`;
          return { name, stage: { rowRps, groupRows, replicas, batch, serviceMs, scv: 0.02 } };
        }),
      ),
    ),
  );
}

function predictedMs(stage: SimulatedStage, quantile: number): number {
  const { rowRps, groupRows, replicas, batch, serviceMs, scv } = stage;
  const latency = stageLatency({
    rowRps,
    groupRows,
    replicas,
    batch,
    service: { meanMs: serviceMs, scv: () => scv },
  });
  return pathQuantileMs([{ rows: groupRows, parts: [{ share: 1, latency }] }], quantile);
}

describe("stageLatency() against simulation", () => {
  it("predicts the p99 of 150 random stages within 20 %, and their p95 nearly always", function () {
    this.timeout(300_000);
    const random = seededRandom(20);
    const groups = 100_000;
    const errors = Array.from({ length: 150 }, (_, i) => {
      const stage = randomStage(random, [1, 2, 4, 8]);
      const latencies = simulateStage(stage, groups, i + 1);
      const error = (quantile: number) => predictedMs(stage, quantile) / latencies[Math.floor(quantile * groups)]! - 1;
      return { stage, p95: error(0.95), p99: error(0.99) };
    });
    for (const { stage, p99 } of errors) assert.ok(Math.abs(p99) < 0.2, `${p99}: ${JSON.stringify(stage)}`);
    const far = errors.filter(({ p95 }) => Math.abs(p95) > 0.2);
    assert.ok(far.length <= 0.05 * errors.length, `${far.length}, such as ${JSON.stringify(far[0])}`);
    const median = errors.map(({ p99 }) => Math.abs(p99)).sort((a, b) => a - b)[errors.length / 2]!;
    assert.ok(median < 0.045, `median error ${median}`);
    const mean = errors.reduce((sum, { p99 }) => sum + p99, 0) / errors.length;
    assert.ok(Math.abs(mean) < 0.05, `mean error ${mean}`);
  });

  it("predicts nearly pure service time far below capacity", () => {
    for (const { name, stage } of cases([0.01])) {
      // No replica serves two batches of one request here, and hardly any request meets another one.
      if (Math.ceil(stage.groupRows / stage.batch) > stage.replicas) continue;
      const alone = stage.serviceMs(Math.min(stage.batch, Math.ceil(stage.groupRows)));
      const median = predictedMs(stage, 0.5);
      assert.ok(median > 0.9 * alone && median < 1.3 * alone, `${name}: ${median} ms against ${alone} ms`);
      assert.ok(predictedMs(stage, 0.95) < 1.6 * alone, name);
    }
  });
});

describe("latency of rows that are split, balanced at random, or voted on, against simulation", () => {
  for (const kind of SPLITS)
    it(`predicts the p99 of 40 random stages within 20 %, with rare exceptions: ${kind}`, function () {
      this.timeout(300_000);
      const random = seededRandom(7);
      const requests = 50_000;
      const errors = Array.from({ length: 40 }, (_, i) => {
        const stage = randomSplit(kind, random);
        const latencies = simulateSplit(stage, requests, i + 1);
        const simulatedMs = latencies[Math.floor(0.99 * requests)] ?? Number.NaN;
        return { stage, p99: pathQuantileMs([mixtureOf(stage)], 0.99) / simulatedMs - 1 };
      });
      for (const { stage, p99 } of errors) assert.ok(Math.abs(p99) < 0.27, `${p99}: ${JSON.stringify(stage)}`);
      const far = errors.filter(({ p99 }) => Math.abs(p99) > 0.2);
      assert.ok(far.length <= 1, `${far.length}, such as ${JSON.stringify(far[0])}`);
      const mean = errors.reduce((sum, { p99 }) => sum + p99, 0) / errors.length;
      assert.ok(Math.abs(mean) < 0.05, `mean error ${mean}`);
    });
});

describe("simulateSplit()", () => {
  it("is the other simulation where nothing is split", () => {
    const random = seededRandom(3);
    for (let i = 0; i < 5; i++) {
      const { rowRps, groupRows, ...part } = randomStage(random, [1, 4]);
      const stage = {
        requestRps: rowRps / groupRows,
        groupRows,
        balancing: "leastWork",
        parts: [{ ...part, share: 1 }],
      };
      const [one, other] = [
        simulateSplit(stage as SplitStage, 100_000, 1),
        simulateStage({ ...part, rowRps, groupRows }, 100_000, 2),
      ];
      for (const at of [50_000, 95_000])
        assert.ok(Math.abs(one[at]! / other[at]! - 1) < 0.05, `${one[at]}, ${other[at]}`);
    }
  });

  it("waits for both parts, and for no more than what comes to each", () => {
    const part = { replicas: 1, batch: 1, scv: 0 };
    const parts = [10, 20].map(ms => ({ ...part, share: 1, serviceMs: () => ms }));
    const stage: SplitStage = { requestRps: 0.01, groupRows: 1, balancing: "leastWork", parts };
    assert.deepEqual([...simulateSplit(stage, 3, 1)].map(Math.round), [20, 20, 20]);
    const split = { ...stage, parts: parts.map(own => ({ ...own, share: 0.5 })) };
    const latencies = [...simulateSplit(split, 1_000, 1)].map(Math.round);
    assert.ok(latencies[450] === 10 && latencies[550] === 20 && latencies.every(ms => ms === 10 || ms === 20));
  });
});

describe("simulateStage()", () => {
  it("has the mean wait of M/D/1 and of M/D/4", () => {
    const stage = { rowRps: 800, groupRows: 1, replicas: 1, batch: 1, serviceMs: () => 1, scv: 0 };
    const one = simulateStage(stage, 200_000, 1);
    const four = simulateStage({ ...stage, rowRps: 3_200, replicas: 4 }, 200_000, 1);
    const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    assert.ok(Math.abs(mean(one) - 3) < 0.15, `${mean(one)}`);
    assert.ok(Math.abs(mean(four) - 1.38) < 0.03, `${mean(four)}`);
  });

  it("splits a group over replicas and rounds", () => {
    const stage = { rowRps: 0.01, groupRows: 5, replicas: 2, batch: 2, serviceMs: (r: number) => 10 + r, scv: 0 };
    assert.deepEqual([...simulateStage(stage, 3, 1)].map(Math.round), [23, 23, 23]);
  });
});
