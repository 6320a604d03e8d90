import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Stage } from "../../domain/pipeline.ts";
import { voteWaitShare, voteWeight } from "../../gateway/votings.ts";
import { numberPipeline, stageOf } from "./number-pipeline.ts";

describe("voteWeight()", () => {
  const stage = stageOf(numberPipeline(), "read");
  const weightAt = (accuracy: number | null): number =>
    voteWeight({ ...stage, variants: [{ ...stage.variants[0]!, accuracy }] } as Stage, "light");

  it("is the log-odds of the measured accuracy", () => {
    assert.ok(Math.abs(weightAt(0.9) - Math.log(9)) < 1e-12);
    assert.ok(weightAt(0.95) > weightAt(0.9));
  });

  it("is a trifle where nothing says that the variant is right more often than wrong", () => {
    for (const accuracy of [null, 0, 0.3, 0.5]) assert.equal(weightAt(accuracy), 1e-6);
    assert.ok(Number.isFinite(weightAt(1)));
    assert.equal(voteWeight(stage, "nobody"), 1e-6);
  });
});

describe("voteWaitShare()", () => {
  it("leaves time for the stages after it", () => {
    const pipeline = numberPipeline();
    // 8 ms each for the slowest variants, one after the other.
    assert.equal(voteWaitShare(pipeline, stageOf(pipeline, "count")), 0.45);
    assert.equal(voteWaitShare(pipeline, stageOf(pipeline, "read")), 0.9);
  });

  it("counts the rows of a request in each stage, along the whole way to it", () => {
    const base = numberPipeline();
    const [count, read] = [stageOf(base, "count"), stageOf(base, "read")];
    const fanOut = (most: number) => ({ default: 1, byUpstreamVariant: { light: 2, heavy: most } });
    const stages = [
      count,
      { ...read, fanOut: fanOut(5) },
      { ...read, name: "check", dependsOn: ["read"], upstream: "read", fanOut: fanOut(3) },
    ];
    const findShare = (index: number) => voteWaitShare({ stages }, stages[index]!);
    // 1, 5 and 15 rows of 8 ms each.
    for (const [index, expected] of [0.9 / 21, (0.9 * 5) / 20, 0.9].entries())
      assert.ok(Math.abs(findShare(index) - expected) < 1e-12, `${index}: ${findShare(index)}`);
  });
});
