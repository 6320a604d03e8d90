import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { withRise } from "../../control/plans/rise.ts";
import { doesVote } from "../../domain/configuration.ts";
import type { Pipeline } from "../../domain/pipeline.ts";
import { configurationOf } from "../../domain/plan.ts";
import { votesOf } from "../../optimizer/composite.ts";
import { optimize } from "../../optimizer/optimize.ts";
import type { Problem } from "../../optimizer/problem.ts";
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

/** So much that each voter needs two replicas. */
const RATE = 150;
const RPS: Readonly<Record<string, number>> = { x: 100, y: 1000 / 11, z: 1000 / 12 };

function votingProblem(): Problem {
  const pipeline = votingPipeline();
  return {
    pipeline,
    rateRps: 20,
    current: null,
    corrections: {},
    excluded: {},
    pins: [],
    limits: { cores: null, machineCores: null },
    bounds: {},
    combine: votesOf(pipeline),
  };
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
    for (const { rungs, top, floor } of story.stage("say").assignments.values())
      assert.deepEqual([rungs.length, floor], [1, top], "a voter has no rung below its variant");
    assert.ok(story.board.plan!.accuracy > 0.94 && story.board.plan!.feasible);
  });

  it("plans for one variant where no gateway is known to join votes, also where a vote would take less", () => {
    const story = new Story(votingPipeline()).run(40, 15);
    assert.deepEqual(
      story.board.plan!.stages[0]!.parts.map(({ variant }) => variant),
      ["heavy"],
    );
    assert.equal(story.stage("say").voters, undefined);
    story.input = { joinsVotes: true };
    assert.equal(story.run(40, 15).board.plan!.stages[0]!.parts.length, 3);
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
    story.run(40, RATE, ({ board }) => {
      const { voters = {} } = board.stages[0]!;
      const variants = new Set(Object.values(voters));
      seen.add(variants.size);
      for (const variant of variants) {
        const views = story.views("say").filter(view => view.ready && view.variant === variant);
        assert.ok(views.length * RPS[variant]! >= RATE, variant);
      }
    });
    assert.ok(seen.has(0) && seen.has(3) && !seen.has(1), [...seen].join());
  });

  it("goes on with the other votes when a pod dies, and gives the next one its part", () => {
    const story = started(RATE);
    const before = story.stage("say").voters ?? {};
    const [first] = story.views("say");
    const lost = before[first!.pod]!;
    story.startMs = 6000;
    story.kill("say");
    story.run(1, RATE);
    assert.deepEqual(
      votersOf(story),
      ["x", "y", "z"].filter(variant => variant !== lost),
    );
    for (const [pod, variant] of Object.entries(story.stage("say").voters ?? {})) assert.equal(before[pod], variant);
    story.run(20, RATE);
    assert.deepEqual(votersOf(story), ["x", "y", "z"]);
  });

  it("leaves out a part that has too few replicas for the rate that is there now", () => {
    const story = started(155, 43);
    assert.deepEqual(votersOf(story), ["x", "y", "z"]);
    const { decisionId } = story.board;
    // More than the plan was made for, and not so much more that it is planned for at once; two of z serve 166.7.
    story.run(1, 169);
    assert.equal(story.board.decisionId, decisionId);
    assert.deepEqual(votersOf(story), ["x", "y"]);
  });

  it("raises the replicas of every voter for a rise of the load", () => {
    const problem = votingProblem();
    const plan = optimize(problem);
    const risen = withRise(problem, plan, 150);
    assert.ok(risen.reasons.includes("rising"));
    const [before, after] = [plan.stages[0]!.parts, risen.stages[0]!.parts];
    assert.deepEqual(
      after.map(({ variant }) => variant),
      before.map(({ variant }) => variant),
    );
    for (const [i, part] of after.entries()) assert.ok(part.replicas > before[i]!.replicas, part.variant);
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
});
