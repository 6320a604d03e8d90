import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

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

  it("takes heavier variants at once with a ladder, and pod by pod as far as ready replicas allow without one", () => {
    const stages = [{ name: "detect", ladder: { light: [10, 0.5], heavy: [60, 0.98] } }] as const;
    const ladder = new Story(pipelineFixture(stages));
    ladder.input = { pins: [{ stage: "detect", variant: "light", batch: 1, replicas: null }] };
    ladder.run(30, 40);
    ladder.input = {};
    ladder.run(5, 40);
    assert.deepEqual(ladder.served("detect")[0], "heavy");
    const story = new Story(pipelineFixture(stages, { serving: { rule: "fixed" } }));
    story.input = { pins: [{ stage: "detect", variant: "light", batch: 1, replicas: null }] };
    story.run(30, 40);
    assert.deepEqual(story.served("detect"), ["light"]);
    story.input = {};
    story.startMs = 10_000;
    story.run(5, 40);
    assert.deepEqual(story.served("detect"), ["light"], "the one ready pod must not get heavier yet");
    assert.ok(story.stage("detect").replicasNow > 1);
    story.run(40, 40);
    assert.ok(story.served("detect").every(variant => variant === "heavy"));
  });

  for (const { machineCores, told } of [
    { machineCores: 2, told: "light" },
    { machineCores: null, told: "heavy" },
  ]) {
    it(`tells a stage to serve what is ${told} while another still has to get lighter, on ${machineCores ?? "their own"} cores`, () => {
      const pin = (stage: string, variant: string) => ({ stage, variant, batch: 1, replicas: null });
      const limits = { cores: null, machineCores };
      const story = new Story(twoStages());
      story.switchMs = 5000;
      story.input = { limits, pins: [pin("detect", "light"), pin("read", "heavy")] };
      story.run(30, 2);
      story.input = { limits, pins: [pin("detect", "heavy"), pin("read", "middle")] };
      const toldNow = () => [...story.stage("detect").assignments.values()].map(assignment => assignment.top);
      story.run(3, 2);
      assert.deepEqual(story.served("read"), ["heavy"]);
      assert.deepEqual(toldNow(), [told]);
      assert.equal(story.board.reasons.includes("make_before_break"), told === "light");
      story.run(12, 2);
      assert.deepEqual([story.served("detect"), story.served("read")], [["heavy"], ["middle"]]);
    });
  }

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
