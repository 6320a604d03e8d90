import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { chooseFixedFor, findCarriedRps } from "../../../bench/ladder/fixed-for-step.ts";
import { pipelineFixture } from "../../support/pipeline-fixture.ts";

const pipeline = pipelineFixture([
  { name: "detect", ladder: { heavy: [100, 1], middle: [50, 0.9], light: [10, 0.2] } },
  { name: "read", ladder: { heavy: [20, 1], light: [1, 0.9] }, fanOut: 5 },
]);

describe("fixed variants beside a step in the cluster", () => {
  const place = { pipeline, replicas: { detect: 1, read: 1 }, factor: 1 };

  it("carry what the stage that is short does, with the lightest where none are named", () => {
    assert.equal(findCarriedRps(place, { detect: "heavy", read: "heavy" }), 10);
    assert.equal(findCarriedRps(place), 100);
    assert.equal(findCarriedRps({ ...place, factor: 2 }), 50);
    assert.equal(findCarriedRps({ ...place, replicas: { detect: 3, read: 1 } }), 200);
  });

  it("are those with the most requests right and in time at that rate", () => {
    assert.deepEqual(chooseFixedFor(place, 5), { detect: "heavy", read: "heavy" });
    // The middle one carries all of 20 requests a second, and the heavy one half.
    assert.deepEqual(chooseFixedFor(place, 20), { detect: "middle", read: "light" });
    // Most of 80 are better missed than answered by the lightest, which is seldom right.
    assert.deepEqual(chooseFixedFor(place, 80), { detect: "middle", read: "light" });
    assert.deepEqual(chooseFixedFor(place, 1000), { detect: "light", read: "light" });
  });
});
