import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { sharePlannedRows } from "../../../bench/ladder/planned-shares.ts";
import { type Choosing, PRICE_RULES, RULES } from "../../../bench/ladder/rules.ts";
import { type Call, createRung, type Rung } from "../../../domain/serving/ladder.ts";
import { seededRandom } from "../../../load/seeded-random.ts";

describe("sharePlannedRows()", () => {
  const createModel = (accuracy: number, batchMs: number, maxBatch: number) => ({
    variant: { accuracy },
    profile: { points: [{ batch: maxBatch, latencyMs: batchMs }] },
    maxBatch,
  });
  /** 10, 8 and 2 ms for a row; the second is less accurate than a mix of the others that takes as long. */
  const RUNGS = [createModel(0.9, 20, 2), createModel(0.8, 8, 1), createModel(0.7, 8, 4)];
  const shareAt = (rateRps: number, slower = 1) =>
    sharePlannedRows(RUNGS, rateRps, slower).map(share => Number(share.toFixed(6)));

  it("mixes the two rungs of the hull that use up 97 % of the replica's time", () => {
    assert.deepEqual(shareAt(970 / 6), [0.5, 0, 0.5]);
    assert.deepEqual(shareAt(970 / 8), [0.75, 0, 0.25]);
    assert.deepEqual(shareAt(970 / 12, 2), [0.5, 0, 0.5]);
  });

  it("has one rung serve all where the heaviest takes less than that, or the lightest more", () => {
    assert.deepEqual(shareAt(1), [1, 0, 0]);
    assert.deepEqual(shareAt(970 / 10), [1, 0, 0]);
    assert.deepEqual(shareAt(970 / 2), [0, 0, 1]);
    assert.deepEqual(shareAt(100_000), [0, 0, 1]);
    assert.deepEqual(sharePlannedRows(RUNGS.slice(0, 1), 1000, 1), [1]);
  });
});

const RUNGS: readonly Rung[] = [
  createRung("heavy", { points: [{ batch: 1, latencyMs: 10 }] }, 4),
  createRung("middle", { points: [{ batch: 1, latencyMs: 4 }] }, 8),
  createRung("light", { points: [{ batch: 1, latencyMs: 1 }] }, 16),
];

function choosing(waiting: number, softMs: number, above: Partial<Choosing> = {}): Choosing {
  const calls = Array.from(
    { length: waiting },
    (): Call => ({ rows: 1, shape: "", softMs, hardMs: softMs, variant: null }),
  );
  const ladder = { rungs: RUNGS, others: [] };
  const accuracies = [0.9, 0.8, 0.7];
  return { ladder, calls, startMs: 0, expected: null, accuracies, plannedShares: [], random: () => 0, ...above };
}

describe("the rule `random`", () => {
  const drawRows = (waiting: number, plannedShares: readonly number[]): Readonly<Record<string, number>> => {
    const asked = choosing(waiting, 1000, { plannedShares, random: seededRandom(1) });
    const rows: Record<string, number> = { heavy: 0, middle: 0, light: 0 };
    for (let i = 0; i < 20_000; i++) {
      const { variant, maxBatch } = RULES.random(asked);
      rows[variant] = (rows[variant] ?? 0) + Math.min(maxBatch, waiting);
    }
    return rows;
  };

  for (const waiting of [1, 6, 100])
    it(`has rungs serve their planned shares of the rows where ${waiting} wait`, () => {
      const { heavy = 0, middle, light = 0 } = drawRows(waiting, [0.3, 0, 0.7]);
      assert.equal(middle, 0);
      assert.ok(Math.abs(heavy / (heavy + light) - 0.3) < 0.02, `${heavy} and ${light} rows`);
    });

  it("draws nothing where one rung is to serve all", () => {
    assert.deepEqual(drawRows(6, [0, 0, 1]), { heavy: 0, middle: 0, light: 120_000 });
  });
});

describe("the rule that prices time", () => {
  it("serves by lighter rungs the higher the price", () => {
    const asked = choosing(40, 100);
    const places = Object.values(PRICE_RULES).map(rule => RUNGS.indexOf(rule(asked)));
    assert.ok(places.length >= 5);
    assert.deepEqual(places, places.toSorted());
    assert.deepEqual([places[0], places.at(-1)], [0, 2]);
  });
});
