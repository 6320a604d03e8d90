import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const LIGHT_AND_HEAVY = [{ name: "detect", ladder: { light: [10, 0.5], heavy: [60, 0.98] } }] as const;

/** Plans are for the heavy variant again, five seconds after an operator's pin of the light one has ended. */
function unpinLight(serving: Readonly<Record<string, unknown>>): Story {
  const story = new Story(pipelineFixture(LIGHT_AND_HEAVY, { serving }));
  story.input = { pins: [{ stage: "detect", variant: "light", batch: 1, replicas: null }] };
  story.run(30, 40);
  assert.deepEqual(story.served("detect"), ["light"]);
  story.input = {};
  story.startMs = 10_000;
  return story.run(5, 40);
}

describe("tick(): make-before-break", () => {
  it("gives replicas back only when the lighter variant is served", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { heavy: [60, 0.98], light: [6, 0.5] } }]);
    const story = new Story(pipeline, { podsAtStart: 1 }).run(30, 60);
    assert.equal(story.goal("detect"), "heavy");
    const many = story.stage("detect").replicasNow;
    assert.ok(many >= 4, `${many} replicas`);
    story.switchMs = 5000;
    story.input = { pins: [{ stage: "detect", variant: "light", batch: null, replicas: null }] };
    story.run(1, 60);
    assert.ok(story.goalReplicas("detect") < many);
    assert.equal(story.stage("detect").replicasNow, many);
    assert.ok(story.board.reasons.includes("make_before_break"));
    story.run(8, 60);
    assert.equal(story.stage("detect").replicasNow, story.goalReplicas("detect"));
  });

  it("takes heavier variants at once with a ladder, and without one when the replicas that are planned with them are ready", () => {
    assert.equal(unpinLight({ rule: "ladder" }).served("detect")[0], "heavy");
    const story = unpinLight({ rule: "fixed" });
    assert.deepEqual(story.served("detect"), ["light"], "the one ready pod must not get heavier yet");
    assert.ok(story.stage("detect").replicasNow > 1);
    story.run(40, 40);
    assert.ok(story.served("detect").every(variant => variant === "heavy"));
  });

  it("lets no replica wait below the floor, which serves nobody", () => {
    const story = unpinLight({ rule: "fixed", floor: { detect: "heavy" } });
    assert.ok(story.stage("detect").replicasNow > 1);
    assert.deepEqual(story.served("detect"), ["heavy"], "of those that are ready");
  });

  it("takes heavier variants at once where the pinned one can't be served, as replicas have a ladder then", () => {
    const ladder = { light: [10, 0.5], heavy: [60, 0.98], broken: [5, 0.4] } as const;
    const story = new Story(pipelineFixture([{ name: "detect", ladder }]));
    story.startMs = 60_000;
    story.broken.add("detect/broken");
    story.input = { pins: [{ stage: "detect", variant: "broken", batch: 1, replicas: null }] };
    story.run(5, 40);
    assert.equal(story.goal("detect"), "heavy");
    assert.ok(story.goalReplicas("detect") > 1);
    assert.deepEqual(story.served("detect"), ["heavy"]);
  });

  it("grows in steps while replicas are not ready yet", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { only: [50, 0.9] }, replicas: { min: 1, max: 40 } }]);
    const story = new Story(pipeline).run(15, 2);
    story.run(1, 400);
    assert.ok(story.goalReplicas("detect") >= 25);
    assert.equal(story.stage("detect").replicasNow, 5);
    assert.ok(story.board.reasons.includes("capped_step"));
    story.run(30, 400);
    assert.equal(story.stage("detect").replicasNow, story.goalReplicas("detect"));
  });

  it("takes no steps to replicas that an operator pinned", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { only: [50, 0.9] }, replicas: { min: 1, max: 40 } }]);
    const story = new Story(pipeline).run(15, 2);
    story.input = { pins: [{ stage: "detect", variant: null, batch: null, replicas: 20 }] };
    story.run(1, 2);
    assert.equal(story.stage("detect").replicasNow, 20);
    assert.ok(!story.board.reasons.includes("capped_step"));
  });
});
