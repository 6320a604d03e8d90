import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { UNTUNED } from "../../control/tuning.ts";
import { compareVersions, findAssignmentProblem } from "../../domain/assignment.ts";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

describe("tick(): operators", () => {
  it("plans around an operator's pin and an admin endpoint's pin", () => {
    const story = new Story(twoStages());
    story.input = { pins: [{ stage: "detect", variant: "light", batch: null, replicas: 3 }] };
    story.run(15, 2);
    assert.deepEqual([story.goal("detect"), story.goalReplicas("detect"), story.goal("read")], ["light", 3, "heavy"]);
    assert.ok(story.board.reasons.includes("pinned"));
    story.input = {};
    story.report("read", { pin: { variant: "light", batch: 2 }, variant: "light", batch: 2 });
    story.run(40, 2);
    assert.equal(story.goal("read"), "light");
    assert.equal(story.goal("detect"), "heavy");
  });

  it("goes on with what it serves where a pin's variant can't be loaded, says why, and follows the pin once it can", () => {
    const story = new Story(twoStages());
    story.run(30, 2);
    assert.deepEqual([story.goal("detect"), story.served("detect")], ["heavy", ["heavy"]]);
    story.broken.add("detect/middle");
    story.report("detect", { residentVariants: ["heavy"] });
    story.input = { pins: [{ stage: "detect", variant: "middle", batch: 2, replicas: 3 }] };
    story.run(4, 2);
    for (let second = 0; second < 40; second++) {
      story.run(1, 2);
      assert.ok(story.served("detect").every(variant => variant === "heavy"));
      assert.equal(story.goal("detect"), "heavy");
      assert.equal(story.condition("PlanFeasible")?.status, true);
    }
    assert.equal(story.goalReplicas("detect"), 3, "the replicas of the pin can be had");
    const condition = story.condition("VariantsUsable");
    assert.deepEqual([condition?.status, condition?.reason], [false, "LoadFailed"]);
    assert.match(
      condition?.message ?? "",
      /^detect\/middle is left out for \d+ s: model_invalid: broken; its pin is not followed meanwhile$/,
    );
    story.broken.clear();
    story.run(60, 2);
    assert.deepEqual([story.goal("detect"), story.condition("VariantsUsable")?.status], ["middle", true]);
  });

  it("takes an operator's variant before an admin endpoint's", () => {
    const story = new Story(twoStages());
    story.report("detect", { pin: { variant: "light", batch: 2 }, variant: "light", batch: 2 });
    story.input = { pins: [{ stage: "detect", variant: "middle", batch: null, replicas: null }] };
    story.run(15, 2);
    assert.equal(story.goal("detect"), "middle");
    story.input = { pins: [{ stage: "read", variant: "middle", batch: null, replicas: null }] };
    story.run(15, 2);
    assert.deepEqual([story.goal("detect"), story.goal("read")], ["light", "middle"]);
    story.input = { pins: [{ stage: "detect", variant: null, batch: null, replicas: 1 }] };
    story.run(15, 2);
    assert.deepEqual([story.goal("detect"), story.goalReplicas("detect")], ["light", 1]);
  });

  it("publishes what it would do in shadow mode and does nothing", () => {
    const story = new Story(twoStages());
    story.input = { mode: "shadow" };
    story.run(30, 80);
    assert.ok(story.goalReplicas("detect") > 1);
    for (const stage of story.board.stages) {
      assert.equal(stage.replicasNow, 1);
      assert.equal(stage.assignments.size, 0);
      assert.equal(stage.newcomer, null);
    }
    assert.ok(story.board.reasons.includes("shadow"));
  });

  it("respects the live bounds of the ScaledObject", () => {
    const story = new Story(twoStages());
    story.input = { bounds: { detect: { min: 2, max: 3 } } };
    story.run(30, 1);
    assert.equal(story.stage("detect").replicasNow, 2);
    story.run(60, 500);
    assert.equal(story.stage("detect").replicasNow, 3);
  });

  it("goes to zero only when idle for long, and wakes all stages together", () => {
    const zero = { min: 0, max: 8 };
    const pipeline = pipelineFixture([
      { name: "a", ladder: { only: [20, 0.9] }, replicas: zero },
      { name: "b", ladder: { only: [20, 0.9] }, replicas: zero },
    ]);
    const story = new Story(pipeline).run(30, 5).run(290, 0);
    assert.deepEqual(
      story.board.stages.map(stage => stage.replicasNow),
      [1, 1],
    );
    story.run(60, 0);
    assert.deepEqual(
      story.board.stages.map(stage => [stage.replicasNow, stage.active]),
      [
        [0, false],
        [0, false],
      ],
    );
    story.run(1, 1);
    assert.deepEqual(
      story.board.stages.map(stage => [stage.replicasNow, stage.active]),
      [
        [1, true],
        [1, true],
      ],
    );
  });

  it("tells each switcher its decision, its rungs and its share of the time", () => {
    const story = new Story(twoStages()).run(30, 5);
    const [detect] = story.stage("detect").assignments.values();
    const [read] = story.stage("read").assignments.values();
    assert.ok(detect && read);
    assert.match(detect.decisionId, /^d-1-\d+$/);
    assert.deepEqual([findAssignmentProblem(detect), findAssignmentProblem(read)], [null, null]);
    assert.deepEqual([detect.top, detect.floor, detect.headroom], ["heavy", "light", 0.75]);
    const { latencyMs } = story.pipeline.slo;
    assert.ok(Math.abs(detect.budgetMs + read.budgetMs - latencyMs) < 0.05 * latencyMs);
    assert.deepEqual([detect.laterBudgetMs, read.laterBudgetMs, read.laterLeastMs], [read.budgetMs, 0, 0]);
    assert.ok(detect.laterLeastMs > 0 && detect.laterLeastMs <= detect.laterBudgetMs);
    assert.deepEqual({ ...story.stage("detect").newcomer, version: 0 }, { ...detect, version: 0 });
  });

  it("serves a variant alone where it is pinned, and where the pipeline file or a tuning says so", () => {
    const rungs = (story: Story, stage: string) =>
      [...story.stage(stage).assignments.values()].map(told => told.rungs.map(({ variant }) => variant).join(" "));
    const pinned = new Story(twoStages());
    pinned.input = { pins: [{ stage: "detect", variant: "middle", batch: null, replicas: null }] };
    pinned.run(15, 2);
    assert.deepEqual([rungs(pinned, "detect"), rungs(pinned, "read")], [["middle"], ["heavy middle light"]]);
    const fixed = new Story(twoStages({ serving: { rule: "fixed" } })).run(15, 2);
    assert.deepEqual(rungs(fixed, "detect"), ["heavy"]);
    fixed.input = { tuning: { ...UNTUNED, serving: { rule: "ladder" } } };
    fixed.run(1, 2);
    assert.deepEqual(rungs(fixed, "detect"), ["heavy middle light"]);
    fixed.input = { tuning: { ...UNTUNED, serving: { rule: "ladder", floor: { detect: "middle" } } } };
    fixed.run(1, 2);
    assert.deepEqual([rungs(fixed, "detect"), rungs(fixed, "read")], [["heavy middle"], ["heavy middle light"]]);
    assert.ok(fixed.board.reasons.includes("tuned"));
  });

  it("plans no variant below a stage's floor, and refuses load instead", () => {
    // Replicas that share a machine are planned for one rate, by the variants that carry the most of it.
    const limits = { cores: null, machineCores: 1000 };
    const free = new Story(twoStages());
    free.input = { limits };
    free.run(60, 2000);
    assert.equal(free.goal("detect"), "light");
    const floored = new Story(twoStages({ serving: { floor: { detect: "middle" } } }));
    floored.input = { limits };
    floored.run(60, 2000);
    assert.equal(floored.goal("detect"), "middle");
    assert.deepEqual(
      ["detect", "read"].map(stage => floored.stage(stage).newcomer?.belowFloor),
      [["light"], []],
    );
    floored.input = { limits, pins: [{ stage: "detect", variant: "light", batch: null, replicas: null }] };
    floored.run(15, 2000);
    assert.equal(floored.goal("detect"), "light", "an operator's pin wins");
    assert.deepEqual(floored.stage("detect").newcomer?.belowFloor, []);
  });

  it("issues newer versions after a change of leader and only on a change of what is assigned", () => {
    const story = new Story(twoStages()).run(30, 5);
    const before = [...story.stage("detect").assignments.values()][0]?.version;
    story.run(30, 5);
    assert.deepEqual([...story.stage("detect").assignments.values()][0]?.version, before);
    story.input = { epoch: 2 };
    story.run(1, 5);
    const after = [...story.stage("detect").assignments.values()][0]?.version;
    assert.ok(before && after && compareVersions(after, before) > 0);
    assert.equal(after.epoch, 2);
  });
});
