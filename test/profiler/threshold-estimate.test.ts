import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { thresholdEstimate } from "../../profiler/threshold-estimate.ts";

const answer = (find: number, read: number, right = true) => ({ signals: { find, read }, right });

describe("thresholdEstimate()", () => {
  // Two of four are wrong: the threshold is the third least of the answers' least confidences −4, −3, −2, −1.
  const known = [answer(-4, 9, false), answer(9, -3, false), answer(-2, 9), answer(9, -1)];

  it("takes an answer for as sure as the least of its confidences", () => {
    const drifted = [answer(9, 9), answer(-3, 9), answer(9, -3), answer(-2, 9)];
    assert.equal(thresholdEstimate(["find", "read"], known, drifted), 0.5);
    assert.equal(thresholdEstimate(["find", "read"], known, known), 0.5);
  });

  it("takes a confidence that an answer does not have for none at all", () => {
    const drifted = [{ signals: { find: 9 }, right: true }, answer(9, 9)];
    assert.equal(thresholdEstimate(["find", "read"], known, drifted), 0.5);
  });

  it("has no estimate without answers", () => {
    assert.equal(thresholdEstimate(["find", "read"], known, []), null);
  });
});
