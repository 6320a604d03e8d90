import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { normal, seededRandom } from "../../load/seeded-random.ts";
import {
  agreement,
  driftAdjusted,
  driftedPipelineAccuracy,
  type Evidence,
  transferredAccuracy,
} from "../../optimizer/drift.ts";

const nothing: Evidence = {
  offline: 0.9,
  items: 0,
  right: 0,
  unlabelled: null,
  unlabelledOffline: 0.9,
  moreAssertions: 0,
};

describe("driftAdjusted()", () => {
  it("is what was measured offline until there is something else", () => {
    const { accuracy, least } = driftAdjusted(nothing);
    assert.ok(Math.abs(accuracy - 0.9) < 1e-12);
    assert.ok(least < accuracy && least > 0.8);
  });

  it("follows labels, and is surer the more there are", () => {
    const few = driftAdjusted({ ...nothing, items: 50, right: 25 });
    const many = driftAdjusted({ ...nothing, items: 5_000, right: 2_500 });
    assert.ok(Math.abs(few.accuracy - 0.7) < 1e-12);
    assert.ok(Math.abs(many.accuracy - 0.5) < 0.005);
    assert.ok(many.accuracy - many.least < few.accuracy - few.least);
  });

  it("believes estimates without labels only as far as they were right offline", () => {
    const unlabelled = { accuracy: 0.6, outputs: 100_000 };
    const trusted = driftAdjusted({ ...nothing, unlabelled });
    const doubted = driftAdjusted({ ...nothing, unlabelled, unlabelledOffline: 0.85 });
    const refused = driftAdjusted({ ...nothing, unlabelled, unlabelledOffline: 0.7 });
    assert.ok(Math.abs(trusted.accuracy - (50 * 0.9 + 200 * 0.6) / 250) < 1e-12);
    assert.ok(trusted.accuracy < doubted.accuracy && doubted.accuracy < refused.accuracy);
    assert.ok(Math.abs(refused.accuracy - 0.9) < 1e-12);
  });

  it("takes off what assertions say", () => {
    assert.ok(Math.abs(driftAdjusted({ ...nothing, moreAssertions: 0.1 }).accuracy - 0.81) < 1e-12);
  });

  it("is a share for whatever evidence", () => {
    const number = fc.oneof(fc.double({ min: -10, max: 1e9, noNaN: true }), fc.constantFrom(0, 1));
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        number,
        number,
        number,
        number,
        (offline, items, right, outputs, more) => {
          const unlabelled = { accuracy: 0.5, outputs };
          const { accuracy, least } = driftAdjusted({
            offline,
            items,
            right,
            unlabelled,
            unlabelledOffline: offline,
            moreAssertions: more,
          });
          assert.ok(accuracy >= 0 && accuracy <= 1 && least >= 0 && least <= accuracy + 1e-6, `${accuracy} ${least}`);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("transferredAccuracy()", () => {
  it("moves a variant that is not served by the drift of the one that is, so that plans do not flee to old numbers", () => {
    assert.ok(Math.abs(transferredAccuracy(0.85, 0.9, 0.9) - 0.85) < 1e-12);
    const moved = transferredAccuracy(0.85, 0.9, 0.6);
    assert.ok(moved < 0.85 && moved > 0.45, `${moved}`);
    assert.ok(transferredAccuracy(0.85, 0.9, 0.6) < transferredAccuracy(0.85, 0.9, 0.8));
  });
});

/** Items that three stages are right on, and that each would be right on by itself; how hard an item is counts for all stages. */
function drawItems(random: () => number, levels: readonly number[], passedOn: number, items: number) {
  const alone = levels.map(() => 0);
  const together = levels.map(() => ({ right: 0, items: 0 }));
  let all = 0;
  for (let i = 0; i < items; i++) {
    const hardness = normal(random);
    let before = true;
    let areAll = true;
    for (const [s, level] of levels.entries()) {
      const noise = normal(random);
      const isRight = level - 0.8 * hardness + 0.6 * noise > 0;
      if (isRight) alone[s]!++;
      // What the stage before makes is a little off what this one was measured on.
      const isRightHere: boolean =
        level - (s > 0 ? passedOn : 0) - 0.8 * hardness + 0.6 * noise > 0 && (before || random() < 0.1);
      if (s > 0 && before) {
        together[s]!.items++;
        if (isRightHere) together[s]!.right++;
      }
      areAll &&= isRightHere;
      before = isRightHere;
    }
    if (areAll) all++;
  }
  return { accuracies: alone.map(right => right / items), together, all: all / items };
}

describe("driftedPipelineAccuracy()", () => {
  it("is the product of what each stage is where the one before is right, and the product rule without agreements", () => {
    assert.ok(Math.abs(driftedPipelineAccuracy([0.8, 0.9], [1.05]) - 0.756) < 1e-12);
    assert.ok(Math.abs(driftedPipelineAccuracy([0.8, 0.9, 0.5], []) - 0.36) < 1e-12);
    assert.equal(driftedPipelineAccuracy([0.8, 0.95], [1.2]), 0.8);
    assert.equal(driftedPipelineAccuracy([], []), 1);
  });

  it("is what a chain gives whose stages follow the one before, whatever drift makes of them", () => {
    const random = seededRandom(5);
    const agreements = [1.06, 0.85];
    for (const accuracies of [
      [0.9, 0.8, 0.85],
      [0.7, 0.75, 0.6],
    ]) {
      let right = 0;
      const items = 200_000;
      for (let i = 0; i < items; i++) {
        // Only those that are right so far can end right; the others do not count.
        let isRight = true;
        for (const [s, accuracy] of accuracies.entries())
          isRight &&= random() < accuracy * (s === 0 ? 1 : agreements[s - 1]!);
        if (isRight) right++;
      }
      assert.ok(Math.abs(driftedPipelineAccuracy(accuracies, agreements) - right / items) < 0.004);
    }
  });

  it("is nearer the truth than the product, with agreements from before the drift, for hard items and for errors passed on", () => {
    const random = seededRandom(17);
    for (const passedOn of [0, 0.5]) {
      const before = drawItems(random, [1.5, 1.3, 1.2], passedOn, 100_000);
      const agreements = before.together
        .slice(1)
        .map(({ right, items }, s) => agreement(right, items, before.accuracies[s + 1]!));
      assert.ok(passedOn === 0 ? agreements.every(k => k > 1.01) : agreements.every(k => k < 0.99), `${agreements}`);
      const now = drawItems(random, [1.1, 1.0, 0.8], passedOn, 100_000);
      assert.ok(now.all < before.all - 0.1);
      const estimate = driftedPipelineAccuracy(now.accuracies, agreements);
      const product = driftedPipelineAccuracy(now.accuracies, []);
      const [error, other] = [Math.abs(estimate - now.all), Math.abs(product - now.all)];
      assert.ok(error < other / 1.5, `${now.all}: ${estimate}, ${product}`);
    }
  });
});

describe("agreement()", () => {
  it("is 1 without a sample, and what the sample says with a large one", () => {
    assert.equal(agreement(0, 0, 0.8), 1);
    assert.ok(Math.abs(agreement(90_000, 100_000, 0.75) - 1.2) < 1e-3);
    assert.equal(agreement(0, 10, 0), 1);
  });
});
