import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { compareMixes } from "../../../bench/mix/mix-figures.ts";
import { predictMix, type ServedStage } from "../../../bench/mix/predict-mix.ts";
import { createRung } from "../../../domain/serving/ladder.ts";

const rung = (variant: string, latencyMs: number, maxBatch = 1) =>
  createRung(variant, { points: [1, 16].map(batch => ({ batch, latencyMs: latencyMs * batch })) }, maxBatch);

const stage = (above: Partial<ServedStage> = {}): ServedStage => ({
  rungs: [rung("heavy", 10), rung("light", 2)],
  rowsPerCall: 1,
  softMs: 25,
  hardMs: 33,
  callsPerMs: 0.02,
  replicas: 1,
  ...above,
});

describe("predictMix()", () => {
  it("predicts the accuracy of random stages as they are simulated by the switchers' own rule", () => {
    const compared = compareMixes(60, 7);
    const errors = compared.map(({ errorPoints }) => Math.abs(errorPoints)).sort((a, b) => a - b);
    assert.ok(errors[53]! < 1, `nine of ten are within a point: ${errors.slice(50)}`);
    assert.ok(errors.at(-1)! < 3, `${errors.at(-1)} points`);
    assert.ok(errors[30]! < 0.4, `half of them within ${errors[30]}`);
  });

  it("is not busy where nothing comes", () => {
    for (const replicas of [1, 3]) {
      const { shares, busy } = predictMix(stage({ callsPerMs: 0, replicas }));
      assert.ok(shares[0]! > 0.999 && busy === 0, `${shares} ${busy}`);
    }
  });

  it("gives all rows to the top where hardly anything comes, and to the floor where it alone carries the load", () => {
    assert.ok(predictMix(stage({ callsPerMs: 1e-4 })).shares[0]! > 0.999);
    assert.ok(predictMix(stage({ callsPerMs: 0.495 })).shares[1]! > 0.98);
  });

  it("has shares that add up to 1, of which the top's falls with the rate and rises with replicas", () => {
    for (const replicas of [1, 3]) {
      let before = 1;
      for (const callsPerMs of [0.01, 0.03, 0.05, 0.08, 0.12, 0.2]) {
        const { shares } = predictMix(stage({ callsPerMs: callsPerMs * replicas, replicas }));
        assert.ok(Math.abs(shares[0]! + shares[1]! - 1) < 1e-9);
        assert.ok(shares[0]! <= before + 1e-3, `${shares[0]} after ${before}`);
        before = shares[0]!;
      }
    }
    const tops = [1, 2, 4].map(replicas => predictMix(stage({ callsPerMs: 0.1, replicas })).shares[0]!);
    assert.deepEqual(
      tops.toSorted((a, b) => a - b),
      tops,
    );
  });

  it("is busy as long as the rows take, by queueing theory", () => {
    for (const [callsPerMs, replicas] of [
      [0.03, 1],
      [0.2, 4],
      [0.15, 1],
    ] as const) {
      const { shares, busy } = predictMix(stage({ callsPerMs, replicas }));
      const expected = (callsPerMs / replicas) * (10 * shares[0]! + 2 * shares[1]!);
      assert.ok(Math.abs(busy - expected) < 0.02, `${busy} ${expected}`);
    }
  });

  it("has one rung serve all where there is one, in batches as they come together", () => {
    const { shares, meanRows } = predictMix(stage({ rungs: [rung("only", 2, 8)], callsPerMs: 0.4 }));
    assert.deepEqual(shares, [1]);
    assert.ok(meanRows > 1 && meanRows < 8, String(meanRows));
    const { meanRows: alone } = predictMix(stage({ rungs: [rung("only", 2, 8)], callsPerMs: 1e-4, rowsPerCall: 3 }));
    assert.ok(Math.abs(alone - 3) < 0.01, String(alone));
  });
});
