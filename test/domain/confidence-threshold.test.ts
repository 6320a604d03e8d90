import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { confidenceThreshold, findConfidence, thresholdAccuracy } from "../../domain/confidence-threshold.ts";
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
    const countRight = (outputs: ReturnType<typeof draw>) =>
      outputs.filter(({ right }) => right).length / outputs.length;
    const before = draw(0.2);
    const threshold = confidenceThreshold(before);
    const estimate = (outputs: ReturnType<typeof draw>) =>
      thresholdAccuracy(
        outputs.map(({ confidence }) => confidence),
        threshold,
      ) ?? -1;
    assert.ok(Math.abs(estimate(before) - countRight(before)) < 0.001);
    const drifted = draw(0.35);
    const lost = countRight(before) - countRight(drifted);
    assert.ok(lost > 0.08);
    assert.ok(
      Math.abs(estimate(drifted) - countRight(drifted)) < lost / 3,
      `${estimate(drifted)} ${countRight(drifted)}`,
    );
  });

  it("has no estimate without outputs", () => {
    assert.equal(thresholdAccuracy([], 0.5), null);
  });
});

describe("thresholds of the rungs of a ladder", () => {
  interface Answer {
    readonly rung: "light" | "heavy";
    readonly confidence: number;
    readonly right: boolean;
  }

  const random = seededRandom(5);
  /** The light rung is sure of much that it gets wrong, the heavy one is unsure of much that it gets right. */
  const drawAnswer = (rung: Answer["rung"]): Answer => {
    const rank = random();
    const [least, wrong] = rung === "light" ? [0.6, 0.3] : [0.2, 0.1];
    return { rung, confidence: least + (1 - least) * rank, right: rank >= wrong };
  };
  /** Lets the rungs answer where the light one serves this share. */
  const serve = (share: number) =>
    Array.from({ length: 20_000 }, () => drawAnswer(random() < share ? "light" : "heavy"));
  const estimate = (answers: readonly Answer[], findThreshold: (rung: Answer["rung"]) => number) =>
    answers.filter(({ rung, confidence }) => confidence >= findThreshold(rung)).length / answers.length;
  const shareRight = (answers: readonly Answer[]) => answers.filter(({ right }) => right).length / answers.length;
  /** Control takes more for a drift. */
  const DRIFT = 0.05;

  it("mean the same at every mix of the rungs, where one threshold for all sees a drift as the load changes", () => {
    const labelled = serve(0.1);
    const own = {
      light: confidenceThreshold(labelled.filter(({ rung }) => rung === "light")),
      heavy: confidenceThreshold(labelled.filter(({ rung }) => rung === "heavy")),
    };
    const common = confidenceThreshold(labelled);
    for (const share of [0.1, 0.5, 0.9]) {
      const answers = serve(share);
      const error = Math.abs(estimate(answers, rung => own[rung]) - shareRight(answers));
      assert.ok(error < DRIFT / 2, `${error} at a share of ${share}`);
    }
    const [calm, busy] = [serve(0.1), serve(0.9)];
    assert.ok(Math.abs(estimate(calm, () => common) - shareRight(calm)) < DRIFT);
    assert.ok(Math.abs(estimate(busy, () => common) - shareRight(busy)) > DRIFT);
  });
});

describe("findConfidence()", () => {
  it("is none of a row without numbers, or of numbers that are none", () => {
    assert.equal(findConfidence(new Float64Array(0), "max"), null);
    for (const kind of ["max", "mean", "softmax"] as const) {
      assert.equal(findConfidence(Float64Array.of(1, Number.NaN), kind), null);
      assert.equal(findConfidence(Float64Array.of(1, Number.POSITIVE_INFINITY), kind), null);
    }
  });
});
