import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { driftErrors, estimatorsOf } from "../../profiler/estimate-drifts.ts";
import { estimatedAccuracy, fitCorrectness } from "../../profiler/fit-correctness.ts";
import { combinationsOf, type ItemResult } from "../../profiler/item-result.ts";
import { labelCorrected } from "../../profiler/label-curve.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

const PIPELINE = twoStages();
const judging = () => ({ confidences: ["sure"], random: seededRandom(7) });
const COMBINATIONS = combinationsOf(PIPELINE);

/** Items whose signal says how likely they are right; a drift moves it. `told`: the signal does not show the drift. */
function items(count: number, seed: number, shift: number, told = shift): ItemResult[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => ({
    id: `item-${i}`,
    combinations: COMBINATIONS.map(() => {
      const sure = 4 * random() - 2;
      const correct = random() < 1 / (1 + Math.exp(-(1 + 2 * (sure + shift))));
      return { correct, partsCorrect: 1, parts: 1, signals: { sure: sure + told }, stagesRight: [] };
    }),
    stages: {},
    fanOut: {},
  }));
}

describe("driftErrors()", () => {
  const sets = {
    none: items(1000, 1, 0),
    shown: items(1000, 2, -1.5),
    other: items(1000, 3, -0.7),
    hidden: items(1000, 4, -1.5, 0),
  };
  const errors = driftErrors(PIPELINE, { none: sets.none, other: sets.other, shown: sets.shown }, judging());

  it("has a drift that signals show estimated by a model that never saw it", () => {
    assert.deepEqual(Object.keys(errors), ["other", "shown"]);
    const { static: before, estimate, labelled } = errors["shown"] ?? assert.fail();
    assert.ok(before > 0.25 && before < 0.5, `${before}`);
    assert.ok(estimate < 0.03, `${estimate}`);
    assert.ok((labelled ?? 1) < 0.05, `${labelled}`);
  });

  it("has a drift that signals do not show estimated too high, and labels put it right", () => {
    const { hidden } = driftErrors(PIPELINE, { none: sets.none, other: sets.other, hidden: sets.hidden }, judging());
    assert.ok(hidden !== undefined && hidden.bias > 0.25, `${hidden?.bias}`);
    assert.equal(hidden.bias, hidden.estimate);
    assert.ok((hidden.labelled ?? 1) < 0.06, `${hidden.labelled}`);
  });

  it("has no error with labels where there are too few items", () => {
    const { few } = driftErrors(PIPELINE, { none: sets.none, few: items(199, 5, -1) }, judging());
    assert.equal(few?.labelled, null);
  });
});

describe("driftErrors() of single combinations, labels and thresholds", () => {
  /** All combinations alike but the first, which is right half as often and as sure as the others. */
  function uneven(count: number, seed: number, shift: number, told = shift): ItemResult[] {
    const random = seededRandom(seed + 100);
    return items(count, seed, shift, told).map(item => ({
      ...item,
      combinations: item.combinations.map((one, c) => (c === 0 && random() < 0.5 ? { ...one, correct: false } : one)),
    }));
  }
  const none = items(1000, 1, 0);
  const other = items(1000, 2, -0.7);

  it("names the combination that the estimate is furthest off, and counts those where it fails", () => {
    const { odd } = driftErrors(PIPELINE, { none, other, odd: uneven(1000, 3, -1.5) }, judging());
    assert.deepEqual(Object.values(odd?.worst.variants ?? {}), COMBINATIONS[0]);
    assert.ok(
      odd !== undefined && odd.worst.error > 0.12 && odd.estimate < 0.06,
      `${odd?.worst.error} ${odd?.estimate}`,
    );
    const { hidden } = driftErrors(PIPELINE, { none, other, hidden: items(1000, 4, -1.5, 0) }, judging());
    assert.equal(hidden?.failing, COMBINATIONS.length);
  });

  it("has ATC near the truth where signals show the drift, and as far off as the old number where they do not", () => {
    const errors = driftErrors(
      PIPELINE,
      { none, other, shown: items(1000, 3, -1.5), hidden: items(1000, 4, -1.5, 0) },
      judging(),
    );
    const { shown, hidden } = errors;
    assert.ok(shown?.threshold && shown.threshold.error < shown.static / 2, `${shown?.threshold?.error}`);
    assert.ok(hidden?.threshold && Math.abs(hidden.threshold.error - hidden.static) < 0.04);
    assert.ok((hidden.threshold.bias ?? 0) > 0.2 && hidden.threshold.failing === COMBINATIONS.length);
  });

  it("judges no ATC where no confidences are named, and takes missing ones for unsure", () => {
    const sets = { none, shown: items(300, 3, -1.5) };
    assert.equal(driftErrors(PIPELINE, sets, { ...judging(), confidences: [] })["shown"]?.threshold, null);
    const { shown } = driftErrors(PIPELINE, sets, { ...judging(), confidences: ["other"] });
    // All are equally sure, so that all are as sure as the threshold.
    assert.ok(shown?.threshold && shown.threshold.bias > 0.3);
  });

  it("is the same each time with the same random numbers", () => {
    const sets = { none, shown: items(300, 3, -1.5) };
    assert.deepEqual(driftErrors(PIPELINE, sets, judging()), driftErrors(PIPELINE, sets, judging()));
  });
});

describe("labelCorrected()", () => {
  it("takes the model's mean error on the labelled items off, and stays a share", () => {
    const model = { bias: 0, signals: [] };
    const labelled = [true, false, false, false].map(right => ({ signals: {}, right }));
    assert.equal(labelCorrected(0.6, model, labelled), 0.6 - 0.25);
    assert.equal(labelCorrected(0.1, model, labelled), 0);
  });
});

describe("estimatorsOf()", () => {
  it("has a model for every combination, of all items, and right on average without drift", () => {
    const sets = { none: items(50, 1, 0), drift: items(50, 2, -1) };
    const estimators = estimatorsOf(PIPELINE, sets);
    assert.deepEqual(
      estimators.map(({ variants }) => Object.values(variants)),
      COMBINATIONS,
    );
    const examples = (results: readonly ItemResult[]) =>
      results.map(({ combinations }) => ({
        signals: combinations[1]?.signals ?? {},
        right: combinations[1]?.correct === true,
      }));
    const pooled = fitCorrectness([...examples(sets.none), ...examples(sets.drift)]);
    const model = estimators[1]?.model ?? assert.fail();
    assert.deepEqual(model.signals, pooled.signals);
    const none = examples(sets.none);
    const estimate = estimatedAccuracy(
      model,
      none.map(({ signals }) => signals),
    );
    assert.ok(Math.abs(estimate - none.filter(({ right }) => right).length / none.length) < 1e-6);
  });
});
