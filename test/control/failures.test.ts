import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

describe("tick(): what goes wrong", () => {
  it("puts a variant that can't be loaded in quarantine, plans without it and tries again with back-off", () => {
    const story = new Story(twoStages());
    story.broken.add("read/heavy");
    story.report("read", { variant: "middle", residentVariants: ["middle"] });
    story.run(12, 2);
    assert.equal(story.goal("read"), "middle");
    assert.ok(story.board.reasons.includes("quarantined"));
    assert.equal(story.state.quarantines[0]?.failures, 1);
    const versions = story.stage("read").assignments;
    story.run(40, 2);
    assert.deepEqual(story.stage("read").assignments, versions, "no loop of refusals");
    story.run(25, 2);
    assert.equal(story.state.quarantines[0]?.failures, 2);
    story.broken.clear();
    story.run(125, 2);
    assert.equal(story.goal("read"), "heavy");
  });

  it("takes replicas that never come for stuck, plans with those that are there and retries", () => {
    const story = new Story(twoStages()).run(20, 2);
    story.mostPods = 2;
    story.run(200, 100);
    assert.equal(story.condition("ActuationStuck")?.status, true);
    assert.ok(story.board.reasons.includes("actuation_stuck"));
    for (const stage of ["detect", "read"])
      assert.ok(story.goalReplicas(stage) <= Math.max(2, story.stage(stage).replicasReady), stage);
    story.mostPods = Number.POSITIVE_INFINITY;
    story.run(120, 100);
    assert.equal(story.condition("ActuationStuck")?.status, false);
    assert.ok(story.goalReplicas("detect") > 2 && (story.board.plan?.mix?.served ?? 0) > 0.99);
  });

  it("says what is shed where nothing is feasible", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { only: [50, 0.9] }, replicas: { min: 1, max: 2 } }]);
    const story = new Story(pipeline).run(30, 1000);
    assert.equal(story.condition("PlanFeasible")?.status, false);
    assert.ok((story.board.plan?.shedRps ?? 0) > 900);
    assert.equal(story.stage("detect").replicasNow, 2);
  });

  it("asks again for a pod that died", () => {
    const story = new Story(twoStages()).run(40, 60);
    const replicas = story.stage("detect").replicasNow;
    story.kill("detect");
    story.run(10, 60);
    assert.equal(story.stage("detect").replicasNow, replicas);
    assert.equal(story.served("detect").length, replicas);
  });

  it("corrects service times by what is measured, within bounds", () => {
    const story = new Story(twoStages()).run(20, 5);
    let batches = 0;
    const measure = (factor: number, seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        batches += 10;
        story.report("detect", { timedBatches: batches, timeFactor: factor });
        story.run(1, 5);
      }
    };
    measure(1.5, 20);
    assert.ok(Math.abs((story.board.corrections["detect"] ?? 0) - 1.5) < 0.02);
    measure(10, 40);
    assert.ok(Math.abs((story.board.corrections["detect"] ?? 0) - 4) < 0.01);
  });
});
