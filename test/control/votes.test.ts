import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { doesVote } from "../../domain/configuration.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { configurationOf } from "../../domain/plan.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

/** None of the light variants is as good as three of them together. */
function votingPipeline(): Pipeline {
  const pipeline = pipelineFixture(
    [{ name: "say", ladder: { x: [10, 0.9], y: [11, 0.9], z: [12, 0.9], heavy: [400, 0.97] } }],
    { objective: { policy: "cocktail", minAccuracy: 0.94 } },
  );
  const stages = pipeline.stages.map(stage => ({ ...stage, votes: { correlation: 0.1, measured: [] } }));
  return { ...pipeline, stages };
}

describe("tick() of a stage that votes", () => {
  const started = (rateRps = 60, seconds = 40): Story => {
    const story = new Story(votingPipeline());
    story.input = { joinsVotes: true };
    return story.run(seconds, rateRps);
  };
  const votersOf = (story: Story): string[] => [...new Set(Object.values(story.stage("say").voters ?? {}))].sort();

  it("plans for several variants, gives each its replicas and says who votes", () => {
    const story = started();
    const { parts } = story.board.plan!.stages[0]!;
    assert.deepEqual(parts.map(({ variant }) => variant).sort(), ["x", "y", "z"]);
    assert.ok(parts.every(({ replicas }) => replicas >= 1));
    assert.equal(story.stage("say").replicasNow, story.goalReplicas("say"));
    assert.deepEqual(
      story.served("say"),
      parts.flatMap(({ variant, replicas }) => Array.from({ length: replicas }, () => variant)).sort(),
    );
    assert.deepEqual(votersOf(story), ["x", "y", "z"]);
    assert.equal(Object.keys(story.stage("say").voters ?? {}).length, story.goalReplicas("say"));
    assert.ok(story.board.plan!.accuracy > 0.94 && story.board.plan!.feasible);
  });

  it("plans for one variant where no gateway is known to join votes", () => {
    const story = new Story(votingPipeline()).run(40, 5);
    assert.deepEqual(
      story.board.plan!.stages[0]!.parts.map(({ variant }) => variant),
      ["heavy"],
    );
    assert.equal(story.stage("say").voters, undefined);
  });

  it("keeps assignments, plan and voters while the load stays", () => {
    const story = started();
    const { decisionId } = story.board;
    const { assignments, voters } = story.stage("say");
    const goal = configurationOf(story.board.plan!);
    story.run(60, 60, ({ board }) => {
      const [stage] = board.stages;
      assert.deepEqual(stage?.assignments, assignments, `since ${decisionId}`);
      assert.deepEqual(stage?.voters, voters);
      assert.deepEqual(configurationOf(board.plan!), goal);
    });
  });

  it("lets nobody vote before two have the capacity for every row, and then those that have it", () => {
    const story = new Story(votingPipeline());
    story.input = { joinsVotes: true };
    story.startMs = 5000;
    const seen = new Set<number>();
    story.run(40, 60, ({ board }) => {
      const { voters = {} } = board.stages[0]!;
      const variants = new Set(Object.values(voters));
      seen.add(variants.size);
      for (const variant of variants) {
        const views = story.views("say").filter(view => view.ready && view.variant === variant);
        assert.ok(views.length * (1000 / { x: 10, y: 11, z: 12 }[variant as "x"]) >= 60, variant);
      }
    });
    assert.ok(seen.has(0) && seen.has(3) && !seen.has(1), [...seen].join());
  });

  it("goes on with the other votes when a pod dies, and gives the next one its part", () => {
    const story = started(60);
    const before = story.stage("say").voters ?? {};
    const [first] = story.views("say");
    story.startMs = 6000;
    story.kill("say");
    story.run(1, 60);
    const lost = before[first!.pod]!;
    const left = votersOf(story);
    assert.ok(left.length >= 2 && left.length <= 3);
    for (const [pod, variant] of Object.entries(story.stage("say").voters ?? {})) assert.equal(before[pod], variant);
    story.run(20, 60);
    assert.deepEqual(votersOf(story), ["x", "y", "z"]);
    assert.ok(Object.values(story.stage("say").voters ?? {}).includes(lost));
  });

  it("leaves out a part that has too few replicas for the rate that is there now", () => {
    const story = started(60);
    const before = votersOf(story).length;
    assert.equal(before, 3);
    story.mostPods = story.views("say").length;
    // More than the plan was made for, within what is planned for at once.
    story.run(1, 64);
    for (const variant of votersOf(story)) {
      const rps = { x: 100, y: 1000 / 11, z: 1000 / 12 }[variant as "x"];
      const count = story.views("say").filter(view => view.ready && view.variant === variant).length;
      assert.ok(count * rps >= 64);
    }
  });

  it("goes to one variant without having less capacity than the demand on the way, and stops voting at once", () => {
    const story = started(20);
    story.input = { joinsVotes: true, pins: [{ stage: "say", variant: "heavy", batch: null, replicas: null }] };
    story.run(1, 5);
    story.run(60, 5, one => {
      assert.equal(one.stage("say").voters, undefined);
      assert.ok(one.capacityRps() >= 5, `${one.capacityRps()} rps`);
    });
    assert.ok(story.served("say").every(variant => variant === "heavy"));
    story.input = { joinsVotes: true };
    story.run(60, 20);
    assert.ok(doesVote(story.board.plan!.stages[0]!));
    assert.deepEqual(votersOf(story), ["x", "y", "z"]);
  });

  it("lets a guard serve each row once, and votes again after it", () => {
    const story = started(60);
    story.mostPods = story.views("say").length;
    const resident = ["x", "y", "z"];
    story.report("say", { queuedRows: 400, residentVariants: resident });
    story.run(1, 60);
    assert.ok(story.board.guarding);
    assert.equal(story.stage("say").voters, undefined);
    const told = new Set(Object.values(story.stage("say").assignments).map(({ variant }) => variant));
    assert.equal(told.size, 1);
    story.report("say", { queuedRows: 0 });
    story.run(40, 60);
    assert.ok(!story.board.guarding);
    assert.deepEqual(votersOf(story), ["x", "y", "z"]);
  });
});
