import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { heldOutMae } from "../../bench/pipelines-accuracy.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

describe("heldOutMae()", () => {
  it("is the mean of what predictions are off by, in points, by the method that is asked for", () => {
    const plain = twoStages();
    const combinations = [
      { variants: { detect: "heavy", read: "heavy" }, accuracy: 0.98 * 0.97 },
      { variants: { detect: "light", read: "light" }, accuracy: 0.88 * 0.85 + 0.03 },
    ];
    const pipeline = { ...plain, accuracy: { ...plain.accuracy, combinations } };
    assert.ok(Math.abs(heldOutMae(pipeline, "product") - 1.5) < 1e-9);
  });
});
