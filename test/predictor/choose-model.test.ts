import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { chooseModel } from "../../predictor/choose-model.ts";

/** Losses of each horizon: the new model's, the bundled one's, the current one's. */
function choice(...horizons: readonly (readonly number[])[]): string {
  return chooseModel(
    horizons.map(([loss = Number.NaN, ...rivalLosses], i) => ({
      horizonSeconds: 20 * (i + 1),
      rows: 1,
      heldOutRows: 1,
      loss,
      rivalLosses,
    })),
  );
}

describe("chooseModel()", () => {
  it("takes the new model only when it wins by more than a hundredth, over all horizons", () => {
    assert.equal(choice([0.9, 1]), "new");
    assert.equal(choice([0.995, 1]), "bundled");
    assert.equal(choice([0.8, 1], [1.1, 1]), "new");
    assert.equal(choice([0.9, 1], [1.2, 1]), "bundled");
  });

  it("takes the new model rather than the current one, which has seen what is held out", () => {
    assert.equal(choice([0.9, 1, 0.8]), "new");
    assert.equal(choice([0.9, 1, 0.95]), "new");
  });

  it("keeps the current model when only that wins, and steps back to the bundled one when neither does", () => {
    assert.equal(choice([1.2, 1, 0.9]), "current");
    assert.equal(choice([0.995, 1, 0.98]), "current");
    assert.equal(choice([0.995, 1, 0.995]), "bundled");
    assert.equal(choice([1.2, 1, 1.1]), "bundled");
  });

  it("takes what can't be compared for beaten", () => {
    assert.equal(choice([0.9, 1, Number.NaN]), "new");
    assert.equal(choice([1.1, 1, Number.NaN]), "bundled");
    assert.equal(choice([1.1, Number.NaN]), "new");
  });
});
