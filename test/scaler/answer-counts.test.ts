import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { NO_ANSWER_COUNTS, readAnswers } from "../../scaler/answer-counts.ts";

const LIGHT = { detect: "light" };
const HEAVY = { detect: "heavy" };
const estimate = (variants: Record<string, string>, requests: number, right: number, labels = 0, correction = 0) => ({
  variants,
  requests,
  right,
  labels,
  correction,
});

describe("readAnswers()", () => {
  it("gives what came since the last report, by combination", () => {
    const first = readAnswers(NO_ANSWER_COUNTS, { epoch: "a", estimates: [estimate(LIGHT, 100, 90)] });
    assert.deepEqual(first.answered, []);
    const second = readAnswers(first.counts, {
      epoch: "a",
      estimates: [estimate(LIGHT, 110, 98, 1, -0.5), estimate(HEAVY, 4, 3)],
    });
    assert.deepEqual(second.answered, [estimate(LIGHT, 10, 8, 1, -0.5), estimate(HEAVY, 4, 3)]);
    const third = readAnswers(second.counts, {
      epoch: "a",
      estimates: [estimate(LIGHT, 110, 98, 2, 0), estimate(HEAVY, 4, 3)],
    });
    assert.deepEqual(third.answered, [estimate(LIGHT, 0, 0, 1, 0.5)]);
  });

  it("counts from 0 where the gateway was started again", () => {
    const { counts } = readAnswers(NO_ANSWER_COUNTS, { epoch: "a", estimates: [estimate(LIGHT, 100, 90)] });
    const { answered } = readAnswers(counts, { epoch: "b", estimates: [estimate(LIGHT, 3, 2)] });
    assert.deepEqual(answered, [estimate(LIGHT, 3, 2)]);
  });

  it("counts nothing twice where two gateways answer in turn", () => {
    let counts = readAnswers(NO_ANSWER_COUNTS, { epoch: "a", estimates: [estimate(LIGHT, 1000, 900)] }).counts;
    let requests = 0;
    for (const [epoch, count] of [
      ["b", 3],
      ["a", 1001],
      ["b", 5],
      ["a", 1001],
      ["b", 6],
    ] as const) {
      const read = readAnswers(counts, { epoch, estimates: [estimate(LIGHT, count, 0.9 * count)] });
      counts = read.counts;
      for (const answer of read.answered) requests += answer.requests;
    }
    assert.equal(requests, 7);
  });
});
