import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

describe("tick(): replicas without switchers", () => {
  it("keeps the default variant, lets replicas follow the load, and assigns nothing to nobody", () => {
    const story = new Story(twoStages(), { podsAtStart: 0 });
    story.input = { switchers: [], readyReplicas: { detect: 2, read: 1 } };
    story.run(40, 40);
    assert.deepEqual([story.goal("detect"), story.goal("read")], ["heavy", "heavy"]);
    assert.deepEqual(
      story.board.stages.map(stage => [stage.replicasReady, stage.assignments.size]),
      [
        [2, 0],
        [1, 0],
      ],
    );
    assert.ok(story.goalReplicas("detect") >= 4);
    const { replicasNow } = story.stage("detect");
    story.input = { switchers: [], readyReplicas: { detect: 4, read: 5 } };
    story.run(60, 2);
    assert.ok(story.stage("detect").replicasNow < replicasNow);
  });

  it("takes a count that is no count for none", () => {
    const story = new Story(twoStages(), { podsAtStart: 0 });
    for (const ready of [Number.NaN, -2, Number.NEGATIVE_INFINITY]) {
      story.input = { switchers: [], readyReplicas: { detect: ready, read: 1.7 } };
      story.run(2, 5);
      assert.deepEqual([story.stage("detect").replicasReady, story.stage("read").replicasReady], [0, 1]);
    }
  });
});

describe("tick(): bounds", () => {
  it("takes live bounds that make no sense for what they can mean at most", () => {
    const story = new Story(twoStages());
    story.input = { bounds: { detect: { min: 5, max: 2 }, read: { min: Number.NaN, max: 1 } } };
    story.run(30, 5);
    assert.equal(story.stage("detect").replicasNow, 5, "the minimum wins");
    assert.ok(story.stage("read").replicasNow >= 1);
    story.input = { bounds: { detect: { min: -3, max: Number.POSITIVE_INFINITY } } };
    story.run(60, 1);
    assert.equal(story.stage("detect").replicasNow, 1, "the file's own bounds");
  });

  it("does not go to zero before it has seen a load for long enough to call it idle", () => {
    const zero = { min: 0, max: 8 };
    const story = new Story(pipelineFixture([{ name: "a", ladder: { only: [20, 0.9] }, replicas: zero }]));
    story.run(299, 0, ({ board }) => assert.equal(board.stages[0]?.replicasNow, 1));
    story.run(30, 0);
    assert.equal(story.stage("a").replicasNow, 0);
    story.run(400, null);
    assert.equal(story.stage("a").replicasNow, 0);
  });

  it("gives no replica back for a batch size that is not served yet", () => {
    const slow = { name: "detect", ladder: { only: [40, 0.9] } } as const;
    const pipeline = pipelineFixture([slow]);
    // Batches pay here: 4 rows take 1.5 times as long as one.
    const stages = pipeline.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map(variant => ({
        ...variant,
        profile: variant.profile && {
          ...variant.profile,
          points: [1, 2, 4].map(batch => ({ batch, latencyMs: 40 * (1 + (batch - 1) / 6), scv: 0 })),
        },
      })),
    }));
    const story = new Story({ ...pipeline, stages });
    story.input = { pins: [{ stage: "detect", variant: null, batch: 1, replicas: null }] };
    story.run(40, 100);
    const before = story.stage("detect").replicasNow;
    story.switchMs = 0;
    story.input = { pins: [{ stage: "detect", variant: null, batch: 4, replicas: null }] };
    story.run(1, 100);
    assert.ok(story.goalReplicas("detect") < before);
    assert.equal(story.stage("detect").replicasNow, before);
    story.run(5, 100);
    assert.equal(story.stage("detect").replicasNow, story.goalReplicas("detect"));
  });
});
