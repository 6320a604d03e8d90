import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

describe("tick(): missing data", () => {
  it("has no plan before the first data, and says so", () => {
    const story = new Story(twoStages()).run(5, null);
    assert.equal(story.board.plan, null);
    assert.equal(story.board.decisionId, null);
    assert.equal(story.condition("Ready")?.status, false);
    assert.equal(story.condition("MetricsAvailable")?.status, false);
  });

  it("keeps the last plan without data: missing never means minimum", () => {
    const story = new Story(twoStages()).run(40, 60);
    const replicas = story.stage("detect").replicasNow;
    const decision = story.board.decisionId;
    story.run(120, null);
    assert.equal(story.stage("detect").replicasNow, replicas);
    assert.equal(story.board.decisionId, decision);
    assert.ok(story.board.reasons.includes("held_no_data"));
    assert.equal(story.condition("MetricsAvailable")?.reason, "NoData");
    story.run(2, 60);
    assert.ok(!story.board.reasons.includes("held_no_data"));
    assert.equal(story.condition("MetricsAvailable")?.status, true);
  });

  it("says of every condition whether it is so, why, and since when by itself", () => {
    const story = new Story(twoStages());
    const startMs = story.nowMs;
    const said = () => story.board.conditions.map(({ type, status, reason }) => [type, status, reason]);
    assert.deepEqual(said(), [
      ["MetricsAvailable", false, "NoData"],
      ["Ready", false, "NoPlanYet"],
      ["PlanFeasible", true, "Feasible"],
      ["ActuationStuck", false, "Following"],
      ["VariantsUsable", true, "Usable"],
    ]);
    story.run(10, 5).run(5, null);
    assert.deepEqual(said(), [
      ["MetricsAvailable", false, "NoData"],
      ["Ready", true, "Planned"],
      ["PlanFeasible", true, "Feasible"],
      ["ActuationStuck", false, "Following"],
      ["VariantsUsable", true, "Usable"],
      ["ServedAsPlanned", true, "AsPlanned"],
    ]);
    assert.deepEqual(
      story.board.conditions.map(({ sinceMs }) => sinceMs - startMs),
      [11_000, 1000, 0, 0, 0, 1000],
    );
    assert.match(story.condition("MetricsAvailable")?.message ?? "", /source `gateway`/);
    assert.match(story.condition("Ready")?.message ?? "", /d-1-1/);
  });

  it("keeps when a condition last changed", () => {
    const story = new Story(twoStages()).run(10, 5);
    const since = story.condition("MetricsAvailable")?.sinceMs;
    story.run(10, 5);
    assert.equal(story.condition("MetricsAvailable")?.sinceMs, since);
  });
});
