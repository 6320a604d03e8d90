import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { combinationsOf, type ItemResult } from "../../profiler/item-result.ts";
import { type LabelCase, type LabelErrors, labelCurve } from "../../profiler/label-curve.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

const PIPELINE = pipelineFixture([
  { name: "find", ladder: { heavy: [2, 0.9], light: [1, 0.8] } },
  { name: "read", ladder: { heavy: [2, 0.9] } },
]);
const COMBINATIONS = combinationsOf(PIPELINE);
/** Knows nothing: half of all are right. */
const BLIND = { bias: 0, signals: [] };
const TOLD = { bias: 0, signals: [{ name: "told", mean: 0.5, scale: 0.1, weight: 4 }] };

/** The first stage is right on 70 %, the second on 80 % of what it is given; `recovered` of the first one's errors come out right. */
function itemsOf(count: number, recovered: number, seed = 1): ItemResult[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const find = random() < 0.7;
    const read = random() < 0.8;
    const correct = find ? read : random() < recovered;
    return {
      id: `${i}`,
      combinations: COMBINATIONS.map(() => ({
        ...{ correct, partsCorrect: 1, parts: 1, stagesRight: [find, read] },
        signals: { told: Number(correct) },
      })),
      stages: { find: { heavy: find, light: find }, read: { heavy: read } },
      fanOut: {},
    };
  });
}

function curve(results: readonly ItemResult[], model: LabelCase["model"] = BLIND): readonly LabelErrors[] {
  const cases = COMBINATIONS.map((variants, c) => ({
    ...{ variants, model },
    examples: results.map(({ combinations }) => ({
      signals: combinations[c]?.signals ?? {},
      right: combinations[c]?.correct === true,
    })),
  }));
  return labelCurve(PIPELINE, results, cases, seededRandom(5));
}

describe("labelCurve()", () => {
  const results = itemsOf(1000, 0);

  it("has labels alone off by what chance makes of so many of them", () => {
    for (const { labels, alone } of curve(results)) {
      // Mean absolute deviation of a share: the standard error times √(2/π).
      const expected = Math.sqrt((0.56 * 0.44) / labels) * Math.sqrt(2 / Math.PI);
      assert.ok(Math.abs(alone / expected - 1) < 0.3, `${labels}: ${alone} instead of ${expected}`);
    }
    assert.deepEqual(
      curve(results).map(({ labels }) => labels),
      [10, 25, 50, 100, 200],
    );
  });

  it("has a model that knows nothing no better than labels alone, and one that is told everything nearly right", () => {
    for (const { alone, corrected } of curve(results)) assert.ok(Math.abs(alone - corrected) < 1e-9);
    for (const { corrected } of curve(results, TOLD)) assert.ok(corrected < 0.01, `${corrected}`);
  });

  it("has the product right where errors are independent, and the chain where they recover as well", () => {
    const most = curve(results).at(-1);
    assert.ok(most && (most.product ?? 1) < 0.035 && (most.markov ?? 1) < 0.035, JSON.stringify(most));
    const recovering = curve(itemsOf(1000, 0.7)).at(-1);
    assert.ok(recovering && (recovering.product ?? 0) > 0.15, JSON.stringify(recovering));
    assert.ok((recovering.markov ?? 1) < 0.04, JSON.stringify(recovering));
  });

  it("says nothing for more than half as many labels as there are items, nor of stages that were not measured", () => {
    const few = itemsOf(60, 0);
    assert.deepEqual(
      curve(few).map(({ labels }) => labels),
      [10, 25],
    );
    const [first] = curve(few.map(item => ({ ...item, stages: {} })));
    assert.ok(first && first.product === null && first.markov === null && first.alone > 0);
  });
});
