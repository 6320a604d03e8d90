import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { currentText } from "../../explanation/price-text.ts";
import { explain } from "../../optimizer/explain.ts";
import { optimize } from "../../optimizer/optimize.ts";
import { problemOf } from "../optimizer/problems.ts";
import { testPipeline } from "../scaler/support/test-pipeline.ts";

describe("currentText()", () => {
  it("names what is served now and breaks: a pin, where no constraint is at its limit", () => {
    const problem = problemOf(testPipeline(), 5);
    const { stages } = optimize(problem);
    const current = Object.fromEntries(stages.map(({ stage, parts }) => [stage, { parts }]));
    const pins = [{ stage: "read", variant: "light", batch: null, replicas: null }];
    const pinned = { ...problem, current, pins };
    const told = currentText(explain(pinned, optimize(pinned)));
    assert.equal(told, "what is served now no longer holds: it breaks a pin, an exclusion or a bound of replicas");
  });
});
