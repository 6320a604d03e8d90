import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { stageLatency } from "../../optimizer/latency.ts";
import { pathQuantileMs } from "../../optimizer/stage-mixture.ts";
import { type SimulatedStage, simulateStage } from "./stage-simulation.ts";

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

/** Predicted over simulated, minus 1, at p95 and p99 of every case. */
function errors(all: readonly Case[], groups: number): { readonly name: string; readonly error: number }[] {
  return all.flatMap(({ name, stage }, seed) => {
    const latencies = simulateStage(stage, groups, seed + 1);
    return [0.95, 0.99].map(quantile => {
      const simulated = latencies[Math.floor(quantile * groups)]!;
      return { name: `p${100 * quantile}, ${name}`, error: predictedMs(stage, quantile) / simulated - 1 };
    });
  });
}

describe("stageLatency() against simulation", () => {
  it("predicts p95 and p99 within 20 % nearly everywhere between utilisation 0.3 and 0.85, and within 32 % at worst", function () {
    this.timeout(300_000);
    const all = errors(cases([0.3, 0.5, 0.7, 0.85]), 20_000);
    const far = all.filter(({ error }) => Math.abs(error) > 0.2);
    const worst = all.toSorted((a, b) => Math.abs(b.error) - Math.abs(a.error))[0]!;
    assert.ok(far.length < 0.04 * all.length, `${far.length} of ${all.length}, such as ${JSON.stringify(far[0])}`);
    assert.ok(Math.abs(worst.error) < 0.32, JSON.stringify(worst));
    const mean = all.reduce((sum, { error }) => sum + error, 0) / all.length;
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
