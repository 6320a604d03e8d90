import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { compareVersions } from "../../domain/assignment.ts";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const HOUR_MS = 3_600_000;

describe("tick(): a clock that jumps", () => {
  it("ends a quarantine and a back-off in time when the clock is set back", () => {
    const story = new Story(twoStages());
    story.startMs = 0;
    story.broken.add("read/heavy");
    story.report("read", { variant: "middle", residentVariants: ["middle"] });
    story.run(5, 2);
    story.mostPods = 1;
    story.run(190, 100);
    story.broken.clear();
    story.mostPods = Number.POSITIVE_INFINITY;
    const left = story.state.quarantines[0]!.untilMs - story.nowMs;
    assert.equal(story.condition("ActuationStuck")?.status, true);
    story.jump(-HOUR_MS);
    story.run(1, 100);
    assert.equal(story.state.quarantines[0]!.untilMs - story.nowMs, left);
    story.run(200, 100);
    assert.equal(story.condition("ActuationStuck")?.status, false);
    assert.ok(story.capacityRps() > 100);
  });

  it("plans on, gives back no replica at once, and keeps how long conditions last", () => {
    for (const jumpMs of [-HOUR_MS, HOUR_MS, -500]) {
      const story = new Story(twoStages()).run(40, 60);
      const before = story.board.stages.map(stage => stage.replicasNow);
      const lastsMs = story.nowMs - story.condition("Ready")!.sinceMs;
      const decision = story.board.decisionId;
      story.jump(jumpMs);
      story.run(12, 60);
      assert.deepEqual(
        story.board.stages.map(stage => stage.replicasNow),
        before,
      );
      assert.notEqual(story.board.decisionId, decision);
      const nowMs = story.nowMs - story.condition("Ready")!.sinceMs;
      assert.ok(nowMs >= lastsMs && nowMs - lastsMs <= 12_000 + Math.max(0, jumpMs), `${jumpMs}: ${nowMs}`);
    }
  });

  it("does not take a pause for replicas that do not come", () => {
    const story = new Story(twoStages()).run(20, 2);
    story.startMs = 20_000 + HOUR_MS;
    story.run(5, 60);
    story.nowMs += HOUR_MS;
    story.run(10, 60);
    assert.equal(story.condition("ActuationStuck")?.status, false);
    story.run(60, 60);
    assert.equal(story.condition("ActuationStuck")?.status, false, "they came");
    const { leadsMs } = story.state.actuations["detect"]!;
    assert.ok(leadsMs.length > 0 && Math.max(...leadsMs) <= 60_000, String(leadsMs));
  });
});

describe("tick(): a pipeline file that was edited", () => {
  const three = { heavy: [60, 0.98], middle: [25, 0.95], light: [8, 0.88] } as const;

  it("plans anew when a variant was renamed, and assigns none that is gone", () => {
    const story = new Story(pipelineFixture([{ name: "detect", ladder: three }])).run(30, 2);
    assert.equal(story.goal("detect"), "heavy");
    story.pipeline = pipelineFixture([{ name: "detect", ladder: { giant: [60, 0.98], light: [8, 0.88] } }]);
    story.run(1, null);
    assert.equal(story.board.plan, null, "without data there is nothing to plan from");
    assert.equal(story.stage("detect").replicasNow, 1);
    assert.equal(story.stage("detect").assignments.size, 0);
    story.run(1, 2);
    assert.equal(story.goal("detect"), "giant");
    assert.equal([...story.stage("detect").assignments.values()][0]?.top, "giant");
  });

  it("plans anew when one of several stages no longer has what the plan names", () => {
    const stages = (name: string) => [
      { name: "detect", ladder: three },
      { name: "read", ladder: { [name]: [20, 0.9], light: [2, 0.8] } as const },
    ];
    for (const order of [1, -1]) {
      const story = new Story(pipelineFixture(stages("old").toSorted(() => order))).run(30, 2);
      assert.equal(story.goal("read"), "old");
      story.pipeline = pipelineFixture(stages("new").toSorted(() => order));
      assert.equal(story.run(1, null).board.plan, null);
    }
  });

  it("plans at once when a variant was added that is better", () => {
    const story = new Story(pipelineFixture([{ name: "detect", ladder: { light: [8, 0.88] } }])).run(15, 2);
    story.pipeline = pipelineFixture([{ name: "detect", ladder: three }]);
    story.run(1, 2);
    assert.equal(story.goal("detect"), "heavy");
  });

  it("takes a stage in that was added, and forgets one that was removed", () => {
    const one = { name: "detect", ladder: three };
    const two = { name: "read", ladder: three };
    const story = new Story(pipelineFixture([one])).run(30, 2);
    story.pipeline = pipelineFixture([one, two]);
    story.run(1, null);
    assert.equal(story.stage("detect").replicasNow, 1);
    assert.equal(story.stage("read").replicasNow, 1, "the least that the file asks for");
    story.run(30, 2);
    assert.deepEqual([story.goal("detect"), story.goal("read")], ["heavy", "heavy"]);
    const state = { ...story.state, corrections: { detect: 1.2, read: 1.4 } };
    story.state = state;
    story.pipeline = pipelineFixture([one]);
    story.run(30, 2);
    assert.deepEqual(
      story.board.stages.map(stage => stage.stage),
      ["detect"],
    );
    assert.deepEqual(Object.keys(story.board.corrections), ["detect"]);
    assert.deepEqual(Object.keys(story.state.actuations), ["detect"]);
  });

  it("keeps within a maximum that was lowered, also without data", () => {
    const many = pipelineFixture([{ name: "detect", ladder: { only: [60, 0.9] }, replicas: { min: 1, max: 8 } }]);
    const story = new Story(many).run(40, 60);
    assert.ok(story.stage("detect").replicasNow > 3);
    story.pipeline = pipelineFixture([{ name: "detect", ladder: { only: [60, 0.9] }, replicas: { min: 1, max: 3 } }]);
    story.run(1, null);
    assert.equal(story.stage("detect").replicasNow, 3);
  });
});

describe("tick(): epochs", () => {
  it("never gives an older version, whoever leads", () => {
    const story = new Story(twoStages());
    const newest = new Map<string, { epoch: number; counter: number }>();
    for (const epoch of [1, 2, 2, 1, 5, 3]) {
      story.input = { epoch };
      story.run(20, epoch * 20, ({ board }) => {
        for (const { assignments } of board.stages) {
          for (const [pod, { version }] of assignments) {
            assert.ok(compareVersions(version, newest.get(pod) ?? { epoch: 0, counter: 0 }) >= 0, pod);
            newest.set(pod, version);
          }
        }
      });
    }
    assert.equal(story.state.epoch, 5);
  });
});
