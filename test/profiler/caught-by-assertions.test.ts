import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { seededRandom } from "../../load/seeded-random.ts";
import { type AnswerShare, type Caught, caughtByAssertions } from "../../profiler/caught-by-assertions.ts";
import type { ItemResult } from "../../profiler/item-result.ts";
import { clusteredInterval, wilsonInterval } from "../../profiler/wilson-interval.ts";

/** An answer for each combination: `+` right or `-` wrong, then a letter for each assertion that it breaks. */
function item(...answers: readonly string[]): ItemResult {
  return {
    id: answers.join(" "),
    combinations: answers.map(answer => ({
      correct: answer.startsWith("+"),
      partsCorrect: 1,
      parts: 1,
      signals: { sure: 1, "broken.a": answer.includes("a") ? 1 : 0, "broken.b": answer.includes("b") ? 1 : 0 },
      stagesRight: [],
    })),
    stages: {},
    fanOut: {},
  };
}

const counted = ({ share, answers }: AnswerShare) => [share, answers];

function countsOf({ assertion, ofWrong, ofRight, wrongOfBroken }: Caught) {
  return [assertion, ...[ofWrong, ofRight, wrongOfBroken].map(counted)];
}

describe("caughtByAssertions()", () => {
  it("counts what breaks each assertion, and any of them, among wrong and right answers", () => {
    const results = [item("-a", "+"), item("-ab", "-b"), item("-", "+a"), item("+", "+")];
    assert.deepEqual(caughtByAssertions(results).map(countsOf), [
      ["a", [2 / 4, 4], [1 / 4, 4], [2 / 3, 3]],
      ["b", [2 / 4, 4], [0, 4], [1, 2]],
      [null, [3 / 4, 4], [1 / 4, 4], [3 / 4, 4]],
    ]);
  });

  it("has no share of answers that there are none of", () => {
    const [a] = caughtByAssertions([item("+", "+")]);
    assert.deepEqual(a?.ofWrong, { share: null, answers: 0, interval: null });
    assert.deepEqual(a?.wrongOfBroken, { share: null, answers: 0, interval: null });
    assert.equal(a?.ofRight.share, 0);
  });

  it("is as sure of twelve combinations that are always alike as of one", () => {
    const results = (combinations: number) =>
      Array.from({ length: 60 }, (_, i) => item(...new Array<string>(combinations).fill(i % 3 === 0 ? "-a" : "-")));
    const [low, high] = caughtByAssertions(results(1))[0]?.ofWrong.interval ?? assert.fail();
    const [lowOfAll, highOfAll] = caughtByAssertions(results(12))[0]?.ofWrong.interval ?? assert.fail();
    assert.ok(Math.abs(low - lowOfAll) < 1e-9 && Math.abs(high - highOfAll) < 1e-9, `${low} ${lowOfAll}`);
  });

  it("finds nothing where there are no assertions, or no items", () => {
    const plain = item("+");
    const combinations = plain.combinations.map(one => ({ ...one, signals: { sure: 1 } }));
    assert.deepEqual(caughtByAssertions([{ ...plain, combinations }]), []);
    assert.deepEqual(caughtByAssertions([]), []);
  });
});

describe("clusteredInterval()", () => {
  const clusters = (successes: readonly number[], trials: number) => successes.map(one => ({ successes: one, trials }));

  it("is its worked example: trials of an item that are all alike", () => {
    const [low, high] = clusteredInterval(clusters([10, 10, 0, 0], 10));
    assert.deepEqual([low.toFixed(3), high.toFixed(3)], ["0.125", "0.875"]);
  });

  it("is never surer than as many independent trials", () => {
    assert.deepEqual(clusteredInterval(clusters([5, 5, 5, 5], 10)), wilsonInterval(2, 4));
    assert.deepEqual(clusteredInterval(clusters([6, 5, 5, 4], 10)), wilsonInterval(20, 40));
  });

  it("counts items where all trials came out the same, and none without trials", () => {
    const none = clusters([0, 0, 0], 10);
    assert.deepEqual(clusteredInterval(none), wilsonInterval(0, 3));
    assert.deepEqual(clusteredInterval([...none, { successes: 0, trials: 0 }]), wilsonInterval(0, 3));
    assert.deepEqual(clusteredInterval([{ successes: 1, trials: 2 }]), wilsonInterval(0.5, 1));
  });

  it("counts items that do not differ also where their share is no exact number", () => {
    for (let trials = 2; trials <= 60; trials++)
      for (let one = 1; one < trials; one++)
        for (const items of [1, 3]) {
          const same = clusters(new Array(items).fill(one), trials);
          const share = (items * one) / (items * trials);
          assert.deepEqual(
            clusteredInterval(same),
            wilsonInterval(share * items, items),
            `${items} × ${one}/${trials}`,
          );
        }
  });

  it("covers the true share in nineteen of twenty samples of alike trials", () => {
    // Every item has its own chance, 0 or 1 with a little doubt; Wilson's interval of all trials covers far less often.
    let covered = 0;
    let coveredByAll = 0;
    const random = seededRandom(7);
    for (let sample = 0; sample < 400; sample++) {
      const drawn = Array.from({ length: 80 }, () => {
        const chance = random() < 0.3 ? 0.95 : 0.05;
        return { successes: Array.from({ length: 9 }, random).filter(value => value < chance).length, trials: 9 };
      });
      const share = 0.3 * 0.95 + 0.7 * 0.05;
      const total = drawn.reduce((sum, { successes }) => sum + successes, 0);
      if (isWithin(share, clusteredInterval(drawn))) covered++;
      if (isWithin(share, wilsonInterval(total, 9 * drawn.length))) coveredByAll++;
    }
    assert.ok(covered / 400 > 0.92 && covered / 400 < 0.98, `${covered}`);
    assert.ok(coveredByAll / 400 < 0.7, `${coveredByAll}`);
  });
});

function isWithin(value: number, [low, high]: readonly [number, number]): boolean {
  return value >= low && value <= high;
}
