import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { confidenceThreshold, thresholdAccuracy } from "../../domain/confidence-threshold.ts";
import { seededRandom } from "../../load/seeded-random.ts";

describe("thresholdAccuracy()", () => {
  it("finds the accuracy of shifted data without its labels, where confidence still ranks errors", () => {
    const random = seededRandom(11);
    // Confident outputs are right, others wrong, and few are in between.
    const draw = (power: number) =>
      Array.from({ length: 50_000 }, () => {
        const confidence = random() ** power;
        return { confidence, right: random() < 1 / (1 + Math.exp(20 * (0.6 - confidence))) };
      });
    const accuracyOf = (outputs: ReturnType<typeof draw>) =>
      outputs.filter(({ right }) => right).length / outputs.length;
    const before = draw(0.2);
    const threshold = confidenceThreshold(before);
    const estimate = (outputs: ReturnType<typeof draw>) =>
      thresholdAccuracy(
        outputs.map(({ confidence }) => confidence),
        threshold,
      ) ?? -1;
    assert.ok(Math.abs(estimate(before) - accuracyOf(before)) < 0.001);
    const drifted = draw(0.35);
    const lost = accuracyOf(before) - accuracyOf(drifted);
    assert.ok(lost > 0.08);
    assert.ok(
      Math.abs(estimate(drifted) - accuracyOf(drifted)) < lost / 3,
      `${estimate(drifted)} ${accuracyOf(drifted)}`,
    );
  });

  it("has no estimate without outputs", () => {
    assert.equal(thresholdAccuracy([], 0.5), null);
  });
});
