import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { initialActuation } from "../../control/actuation.ts";
import { type ControlState, initialState } from "../../control/control-state.ts";
import { stateAnew } from "../../control/state-anew.ts";
import type { TickInput } from "../../control/tick-input.ts";
import { UNTUNED } from "../../control/tuning.ts";
import { compareVersions } from "../../domain/assignment.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

/** Of a process that knows of no switcher and no load. */
function inputOf(pipeline: Pipeline, change: Partial<TickInput> = {}): TickInput {
  return {
    ...{ pipeline, mode: "active", forecast: null, load: null, switchers: [], readyReplicas: {}, bounds: {} },
    ...{ scaling: {}, answered: [], pins: [], tuning: UNTUNED, limits: { cores: null, machineCores: null }, epoch: 1 },
    ...change,
  };
}

function replicasOf(story: Story): readonly number[] {
  return story.board.stages.map(stage => stage.replicasNow);
}

describe("stateAnew()", () => {
  it("takes no replica away: without data none, and with less load not before the hold window is over", () => {
    const story = new Story(twoStages()).run(40, 60);
    const before = replicasOf(story);
    assert.ok(Math.max(...before) > 1, String(before));
    story.state = stateAnew(story.state, inputOf(story.pipeline), story.nowMs);
    story.run(2, null);
    assert.equal(story.board.plan, null);
    assert.deepEqual(replicasOf(story), before);
    const heldSeconds = story.pipeline.scaleDownMs / 1000 - 3;
    story.run(heldSeconds, 2, ({ board }) => {
      assert.ok((board.plan?.rateRps ?? 0) >= 60, String(board.plan?.rateRps));
      for (const [i, { stage, replicasNow }] of board.stages.entries())
        assert.ok(replicasNow >= before[i]!, `${stage} ${replicasNow}`);
    });
    story.run(60, 2);
    assert.ok(Math.max(...replicasOf(story)) < Math.max(...before), "in the end it follows the load");
  });

  it("gives assignments and decisions that are newer than those before", () => {
    const story = new Story(twoStages()).run(40, 60);
    const newest = Object.values(story.state.assignments).map(({ version }) => version);
    const { decisionId } = story.board;
    story.state = stateAnew(story.state, inputOf(story.pipeline), story.nowMs);
    story.run(1, 60);
    assert.notEqual(story.board.decisionId, decisionId);
    const given = story.board.stages.flatMap(stage => [...stage.assignments.values()]);
    assert.ok(given.length > 0);
    for (const { version } of given) for (const before of newest) assert.ok(compareVersions(version, before) > 0);
  });

  it("begins with the most of what was asked for, what the cluster has and what is ready", () => {
    const pipeline = twoStages();
    const scaling = { current: 7, toleranceUp: 0, toleranceDown: 0, max: 10 };
    const input = inputOf(pipeline, { scaling: { detect: scaling }, readyReplicas: { read: 3 }, epoch: 9 });
    const asked = (state: object) => {
      const { actuations, epoch } = stateAnew({ ...initialState(4), ...state } as ControlState, input, 1000);
      return [epoch, ...pipeline.stages.map(({ name }) => actuations[name]?.replicas)];
    };
    assert.deepEqual(asked({}), [9, 7, 3]);
    assert.deepEqual(asked({ actuations: { detect: initialActuation(8), read: initialActuation(2) } }), [9, 8, 3]);
    for (const wrong of [null, "none", { detect: null }, { detect: { replicas: Number.NaN }, read: { replicas: "9" } }])
      assert.deepEqual(asked({ actuations: wrong, counter: -1, plan: { rateRps: Number.NaN } }), [9, 7, 3]);
  });
  it("keeps what pods have missed of the same models, though no pod is there to say it again", () => {
    const ladder = { middle: [6, 0.93], heavy: [20, 0.97], light: [1, 0.85] } as const;
    const pipeline = pipelineFixture([{ name: "read", ladder }]);
    const goalOf = (sha256: string | null, broken: object = {}) => {
      const story = new Story(pipeline, { missing: { read: ["heavy"] } }).run(3, 2);
      story.input = { switchers: [] };
      const [read] = pipeline.stages;
      const variants = read?.variants.map(one => (one.name === "heavy" && sha256 ? { ...one, sha256 } : one)) ?? [];
      story.pipeline = { ...pipeline, stages: [{ ...read!, variants }] };
      story.state = stateAnew({ ...story.state, ...broken }, inputOf(story.pipeline), story.nowMs);
      return story.run(30, 2).goal("read");
    };
    assert.equal(goalOf(null), "middle");
    assert.equal(goalOf("1".repeat(64)), "heavy", "another model has its name");
    const missed = { stage: "read", variant: "heavy", atMs: 0, pods: ["read-0"] };
    const wrong = [null, "none", {}, { ...missed, atMs: "0" }, { ...missed, pods: null }, { ...missed, pods: [1] }];
    assert.equal(
      goalOf(null, { missing: [...wrong, missed], models: null }),
      "middle",
      "what ticks may have thrown for",
    );
    for (const missing of [null, "none", wrong]) assert.equal(goalOf(null, { missing, models: ["none", 1] }), "heavy");
  });
});
