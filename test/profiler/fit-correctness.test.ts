import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { chanceOfRight } from "../../domain/correctness-model.ts";
import { seededRandom } from "../../load/seeded-random.ts";
import { type Example, estimatedAccuracy, fitCorrectness, recalibrated } from "../../profiler/fit-correctness.ts";

/** Requests that are right with a chance that their signals give, and a signal that tells nothing. */
function drawn(count: number, seed: number, shift = 0): Example[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const [sure, noise] = [4 * random() - 2 + shift, random()];
    return { signals: { sure, noise, constant: 3 }, right: random() < chanceAt(sure) };
  });
}

const chanceAt = (sure: number): number => 1 / (1 + Math.exp(-(0.5 + 1.5 * sure)));

describe("fitCorrectness()", () => {
  it("finds the chances that the examples were drawn with", () => {
    const model = fitCorrectness(drawn(4000, 1));
    for (const sure of [-1.5, -0.5, 0, 1])
      assert.ok(Math.abs(chanceOfRight(model, { sure, noise: 0.5 }) - chanceAt(sure)) < 0.04, `at ${sure}`);
    const weights = Object.fromEntries(model.signals.map(({ name, weight }) => [name, weight]));
    assert.deepEqual(Object.keys(weights), ["noise", "sure"]);
    assert.ok(Math.abs(weights["noise"] ?? 1) < 0.15);
  });

  it("is where the slope of the penalised likelihood is zero", () => {
    const examples = drawn(300, 2);
    const model = fitCorrectness(examples);
    for (const [j, signal] of [null, ...model.signals].entries()) {
      const slope = examples.reduce((sum, { signals, right }) => {
        const column = signal === null ? 1 : ((signals[signal.name] ?? 0) - signal.mean) / signal.scale;
        return sum + (chanceOfRight(model, signals) - (right ? 1 : 0)) * column;
      }, signal?.weight ?? model.bias);
      assert.ok(Math.abs(slope) < 1e-3, `${j}: ${slope}`);
    }
  });

  it("estimates the accuracy of requests whose signals have moved", () => {
    const model = fitCorrectness(drawn(4000, 3));
    const moved = drawn(4000, 4, -1);
    const accuracy = moved.filter(({ right }) => right).length / moved.length;
    const estimate = estimatedAccuracy(
      model,
      moved.map(({ signals }) => signals),
    );
    assert.ok(Math.abs(estimate - accuracy) < 0.03, `${estimate} for ${accuracy}`);
  });

  it("is right on average where it is recalibrated, and ranks as before", () => {
    const examples = drawn(500, 6);
    const model = recalibrated({ ...fitCorrectness(examples), bias: 3 }, examples);
    const signals = examples.map(example => example.signals);
    const share = examples.filter(({ right }) => right).length / examples.length;
    assert.ok(Math.abs(estimatedAccuracy(model, signals) - share) < 1e-9);
    assert.deepEqual(model.signals, fitCorrectness(examples).signals);
    const sure = recalibrated(model, [{ signals: {}, right: true }]);
    assert.ok(Math.abs(chanceOfRight(sure, {}) - 0.5) < 1e-9);
    assert.deepEqual(recalibrated(model, []), model);
  });

  it("is finite whatever the signals are, and where all examples are right", () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300, 0, 1].map(x => ({ signals: { x }, right: true }));
    for (const examples of [odd, odd.slice(0, 2), [], drawn(50, 5).map(example => ({ ...example, right: true }))]) {
      const chance = chanceOfRight(fitCorrectness(examples), { x: 1, sure: 0 });
      assert.ok(chance >= 0.5 && chance < 1, `${chance}`);
    }
  });
});
