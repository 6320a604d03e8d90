import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

describe("tick(): the guard", () => {
  it("takes resident lighter variants within a second when replicas are short, and leaves with headroom after its dwell", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { heavy: [60, 0.98], light: [6, 0.5] } }]);
    const story = new Story(pipeline);
    story.startMs = 20_000;
    story.run(30, 5);
    assert.deepEqual(story.views("detect")[0]?.residentVariants, ["heavy", "light"], "the fallback is resident");
    assert.deepEqual(story.served("detect"), ["heavy"]);
    story.run(1, 60);
    assert.equal(story.board.guarding, true);
    assert.equal(story.goal("detect"), "heavy", "the goal stays: more replicas of it are under way");
    story.run(1, 60);
    assert.deepEqual(story.served("detect"), ["light"]);
    story.run(60, 60);
    assert.equal(story.board.guarding, false);
    assert.ok(story.served("detect").includes("heavy"));
  });

  it("acts on a backlog alone", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { heavy: [60, 0.98], light: [6, 0.5] } }]);
    const story = new Story(pipeline).run(30, 5);
    story.report("detect", { queuedRows: 40 });
    story.run(1, 5);
    assert.equal(story.board.guarding, true);
    assert.ok(story.board.reasons.includes("guard"));
    story.report("detect", { queuedRows: 0 });
    story.run(3, 5);
    assert.equal(story.board.guarding, true, "it stays for its dwell");
    story.run(5, 5);
    assert.equal(story.board.guarding, false);
  });
});
