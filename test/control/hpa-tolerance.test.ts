import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const wide = { name: "a", ladder: { only: [20, 0.9] }, replicas: { min: 1, max: 60 } } as const;

function storyAt(replicas: number): Story {
  const story = new Story(pipelineFixture([wide]), { podsAtStart: replicas });
  pin(story, replicas);
  story.run(5, 5);
  assert.equal(story.stage("a").replicasNow, replicas);
  return story;
}

function pin(story: Story, replicas: number, scaling = {}): void {
  const pins = [{ stage: "a", variant: null, batch: null, replicas }];
  story.input = { pins, scaling };
}

describe("tick(): an HPA with a tolerance", () => {
  const tolerant = (current: number) => ({ a: { current, toleranceUp: 0.1, toleranceDown: 0.1, max: 60 } });

  it("asks for the next count that is reached, and says so", () => {
    const story = storyAt(20);
    pin(story, 21, tolerant(20));
    story.run(1, 5);
    assert.equal(story.stage("a").replicasNow, 23);
    assert.equal(story.stage("a").metricValue, 23);
    assert.equal(story.stage("a").replicasGoal, 21);
    assert.ok(story.board.reasons.includes("hpa_tolerance"));
    const exact = story.condition("ActuationExact");
    assert.equal(exact?.status, false);
    assert.match(exact.message, /HPAs of a leave changes of up to 10 % undone.*tolerance/);
  });

  it("comes to rest: once there, it stays", () => {
    const story = storyAt(20);
    pin(story, 21, tolerant(20));
    story.run(2, 5);
    pin(story, 21, tolerant(23));
    story.run(10, 5, () => assert.equal(story.stage("a").replicasNow, 23));
    pin(story, 5, tolerant(23));
    story.run(60, 5);
    assert.equal(story.stage("a").replicasNow, 5);
    assert.ok(!story.board.reasons.includes("hpa_tolerance"));
  });

  it("is exact, and says so, where the tolerance is 0", () => {
    const story = storyAt(20);
    pin(story, 21, { a: { current: 20, toleranceUp: 0, toleranceDown: 0, max: 60 } });
    story.run(1, 5);
    assert.equal(story.stage("a").replicasNow, 21);
    assert.equal(story.condition("ActuationExact")?.status, true);
  });

  it("says nothing of exactness where no HPA is known", () => {
    assert.equal(storyAt(3).condition("ActuationExact"), undefined);
  });

  it("in shadow mode tells what is there, replicas that are not ready included", () => {
    const story = storyAt(3);
    story.input = { mode: "shadow", scaling: tolerant(7) };
    story.run(1, 500);
    assert.equal(story.stage("a").metricValue, 7);
  });
});
