import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { CombinationAccuracy } from "../../control/accuracy-drift.ts";
import { simulate } from "../../simulator/simulation.ts";
import { summarise } from "../../simulator/summary.ts";
import { timelineOf } from "../../simulator/timeline.ts";
import { pipelineOf } from "../optimizer/problems.ts";
import { mostServed, PROMPT, poissonLoad, scenario } from "./scenario.ts";

const LADDER = [
  { name: "light", accuracy: 0.8, latencyMs: { 1: 8, 4: 20, 8: 36 } },
  { name: "middle", accuracy: 0.86, latencyMs: { 1: 20, 4: 60, 8: 110 } },
  { name: "heavy", accuracy: 0.92, latencyMs: { 1: 40, 4: 120, 8: 230 } },
];

const table = (light: number, middle: number, heavy: number): readonly CombinationAccuracy[] =>
  Object.entries({ light, middle, heavy }).map(([detect, accuracy]) => ({ variants: { detect }, accuracy }));

const PIPELINE = pipelineOf({
  sloMs: 400,
  stages: [{ name: "detect", variants: LADDER, replicas: { min: 1, max: 6 } }],
  combinations: table(0.8, 0.86, 0.92),
});
/** At night the heavy one sees nothing any more. */
const NIGHT = table(0.7, 0.6, 0.4);
const SAME_ORDER = table(0.5, 0.56, 0.62);
const DRIFTS_AT = 300;

/** An hour and five minutes of 12 requests a second, with a swell of a third. */
function run(trials: boolean, accuracies: readonly CombinationAccuracy[] | null, seed = 1) {
  const pipeline = { ...PIPELINE, accuracy: { ...PIPELINE.accuracy, trials } };
  const load = poissonLoad(30 + DRIFTS_AT + 3600, second => 12 + 4 * Math.sin(second / 400), seed);
  const told = { kind: "estimates", bias: 0.03, labelShare: 0, labelDelayMs: 0 } as const;
  const drift = accuracies && { fromSecond: DRIFTS_AT, accuracies, told };
  const cluster = { ...PROMPT, podStartMs: 8000 };
  const found = simulate(scenario(pipeline, load, { drift, seed, cluster }));
  const after = timelineOf(found).filter(({ fromSecond }) => fromSecond >= DRIFTS_AT);
  const mean = (of: (row: (typeof after)[number]) => number) =>
    after.reduce((sum, row) => sum + of(row), 0) / after.length;
  return {
    trials: found.trials,
    effective: mean(({ accuracy, violations }) => (accuracy ?? 0) * (1 - (violations ?? 0))),
    violations: summarise(found).violations ?? 0,
    served: after.map(({ stages }) => mostServed(stages[0]?.rows ?? {})),
  };
}

describe("trials in a simulation", function () {
  this.timeout(300_000);

  it("find the better variant within minutes of a drift that turns the order round, and gain by it over the hour", () => {
    for (const seed of [1, 2]) {
      const [without, tried] = [run(false, NIGHT, seed), run(true, NIGHT, seed)];
      assert.equal(without.trials, 0);
      assert.ok(tried.trials > 0);
      assert.ok(tried.effective > without.effective + 0.1, `${tried.effective}, ${without.effective}`);
      // Ten minutes after the drift, and nearly always from then on.
      const later = tried.served.slice(60);
      assert.ok(later.filter(name => name === "light").length > 0.9 * later.length, later.join(" "));
      assert.ok(tried.violations <= without.violations + 0.003, `${tried.violations}, ${without.violations}`);
    }
  });

  it("are none without a drift", () => {
    for (const seed of [1, 2, 3]) {
      assert.equal(run(true, null, seed).trials, 0);
      assert.equal(run(true, table(0.8, 0.86, 0.92), seed).trials, 0);
    }
  });

  it("cost little, and no latency, where the order is what it was", () => {
    const [without, tried] = [run(false, SAME_ORDER), run(true, SAME_ORDER)];
    assert.ok(tried.trials > 0);
    assert.ok(tried.effective > without.effective - 0.01, `${tried.effective}, ${without.effective}`);
    assert.ok(tried.violations <= without.violations + 0.003, `${tried.violations}, ${without.violations}`);
  });
});
