import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { optimize } from "../../optimizer/optimize.ts";
import { problemOf } from "../optimizer/problems.ts";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { certain, Story } from "./story.ts";

/** Replicas that share a machine are planned for one rate. */
const SHARED = { limits: { cores: null, machineCores: 64 } };

describe("planWhenDue()", () => {
  it("decides once an interval, and names every decision anew", () => {
    const story = new Story(twoStages());
    const decisions = new Set<string | null>();
    story.run(31, 5, ({ board }) => decisions.add(board.decisionId));
    assert.deepEqual([...decisions], ["d-1-1", "d-1-2", "d-1-3", "d-1-4"]);
    assert.equal(story.state.decisions, 4);
  });

  it("decides at the pipeline's own place in the interval, never twice within a quarter of a second", () => {
    const decidedAt = (planPhaseMs: number) => {
      const story = new Story(twoStages());
      story.input = { planPhaseMs };
      const times = new Map<string | null, number>();
      story.run(31, 5, ({ board, nowMs }) => {
        if (!times.has(board.decisionId)) times.set(board.decisionId, nowMs - 1_000_000);
      });
      return [...times.values()];
    };
    assert.deepEqual(decidedAt(4000), [1000, 4000, 14_000, 24_000]);
    assert.deepEqual(decidedAt(7400), [1000, 8000, 18_000, 28_000]);
    assert.deepEqual(decidedAt(1200), [1000, 11_000, 21_000, 31_000]);
    assert.deepEqual(decidedAt(0), [1000, 10_000, 20_000, 30_000]);
  });

  it("does not wait for the interval when demand grows by more than a tenth, or when bounds or pins change", () => {
    const decided = (change: (story: Story) => void, rateRps = 50) => {
      const story = new Story(twoStages()).run(12, 50);
      const before = story.board.decisionId;
      change(story);
      return story.run(1, rateRps).board.decisionId !== before;
    };
    assert.equal(
      decided(() => undefined),
      false,
    );
    assert.equal(
      decided(() => undefined, 54),
      false,
    );
    assert.equal(
      decided(() => undefined, 56),
      true,
    );
    assert.equal(
      decided(story => {
        story.input = { bounds: { detect: { min: 2, max: 4 } } };
      }),
      true,
    );
    assert.equal(
      decided(story => {
        story.input = { pins: [{ stage: "read", variant: "light", batch: null, replicas: null }] };
      }),
      true,
    );
    assert.equal(
      decided(story => {
        story.input = { limits: { cores: 4, machineCores: null } };
      }),
      true,
    );
  });

  it("lets the policy reactive go down only to what its HPA recommended in five minutes", () => {
    const pipeline = pipelineFixture([{ name: "a", ladder: { only: [20, 0.9] }, replicas: { min: 1, max: 40 } }], {
      objective: { policy: "reactive" },
    });
    const story = new Story(pipeline).run(60, 300);
    const high = story.stage("a").replicasNow;
    assert.ok(high >= 8, `${high}`);
    story.run(240, 30);
    assert.equal(story.stage("a").replicasNow, high);
    story.run(120, 30);
    assert.ok(story.stage("a").replicasNow <= 2, `${story.stage("a").replicasNow}`);
    assert.ok(story.state.recommendations.length <= 31, `${story.state.recommendations.length}`);
    story.pipeline = pipelineFixture([{ name: "a", ladder: { only: [20, 0.9] }, replicas: { min: 1, max: 40 } }]);
    assert.deepEqual(story.run(20, 30).state.recommendations, []);
  });

  it("plans no votes where no gateway is known to join them", () => {
    const given = pipelineFixture(
      [{ name: "a", ladder: { one: [20, 0.8], two: [20, 0.79], three: [20, 0.78] }, replicas: { min: 1, max: 40 } }],
      { mode: "shadow", objective: { policy: "cocktail", minAccuracy: 0.82 } },
    );
    const stages = given.stages.map(stage => ({ ...stage, votes: { correlation: 0, measured: [] } }));
    const story = new Story({ ...given, stages }).run(12, 20);
    const { plan } = story.board;
    assert.ok(plan);
    assert.equal(plan.stages[0]?.parts.length, 1);
    assert.equal(plan.feasible, false);
    // The same problem for planning alone is served by a vote.
    const alone = optimize({ ...problemOf({ ...given, stages }, plan.rateRps) });
    assert.equal(alone.feasible && alone.stages[0]?.parts.length, 3);
  });

  it("is floored by the reactive estimate, and says so only where that is what counts", () => {
    const story = new Story(twoStages()).run(12, 5);
    assert.ok(!story.board.reasons.includes("floor_reactive"));
    story.input = { forecast: { ...certain(5, story.nowMs), reactiveRps: 30 } };
    story.run(1, 5);
    assert.equal(story.board.plan?.rateRps, 30);
    assert.ok(story.board.reasons.includes("floor_reactive"));
  });

  it("has replicas for what a load that has outrun its forecast goes on to, with the variants of the load as it is, and gives them back", () => {
    const countsIn = (riseRps: number, cost: number) => {
      const story = new Story(twoStages({ objective: { weights: { cost } } })).run(12, 5);
      const before = story.goal("read");
      story.input = { forecast: { ...certain(5, story.nowMs), reactiveRps: 20, riseRps } };
      story.run(1, 5);
      assert.equal(story.goal("read"), before);
      assert.equal(story.board.plan?.rateRps, 20);
      const { reasons } = story.board;
      const risen = story.goalReplicas("read");
      story.input = {};
      story.run(12, 5);
      const held = story.goalReplicas("read");
      const isHeld = story.board.reasons.includes("rising");
      story.run(30, 5);
      return { risen, held, isHeld, after: story.goalReplicas("read"), isRising: reasons.includes("rising") };
    };
    // Also where cores cost next to nothing, so that giving one back gains next to nothing: replicas for the load as it was may stay there.
    for (const cost of [0.005, 0.0001]) {
      const without = countsIn(0, cost);
      const rising = countsIn(40, cost);
      assert.deepEqual([without.isRising, rising.isRising, rising.isHeld], [false, true, true]);
      assert.ok(rising.risen > without.risen, `${rising.risen} after ${without.risen}`);
      assert.equal(rising.held, rising.risen);
      if (cost > 0.001) assert.equal(rising.after, without.after);
      else assert.ok(rising.after <= without.after, `${rising.after} after ${without.after}`);
    }
  });

  it("plans replicas for what may come, and variants for the load as it is where lighter ones may serve", () => {
    const planFor = (rule: "fixed" | "ladder") => {
      const story = new Story(twoStages({ serving: { rule } }));
      story.run(60, 5, ({ nowMs }) => {
        story.input = { ...SHARED, forecast: { ...certain(200, nowMs), reactiveRps: 5 } };
      });
      return { story, replicas: ["detect", "read"].map(stage => story.goalReplicas(stage)) };
    };
    const [fixed, ladder] = [planFor("fixed"), planFor("ladder")];
    assert.deepEqual(ladder.replicas, fixed.replicas);
    assert.ok(Math.max(...ladder.replicas) > 2, String(ladder.replicas));
    assert.deepEqual([ladder.story.goal("detect"), ladder.story.goal("read")], ["heavy", "heavy"]);
    assert.notEqual(fixed.story.goal("detect"), "heavy");
    assert.ok((ladder.story.board.plan?.rateRps ?? 0) < 10);
    assert.ok(ladder.story.board.reasons.includes("ahead") && !fixed.story.board.reasons.includes("ahead"));
  });

  it("plans at once for more replicas where more may come than they were planned for, though the load is as low as before", () => {
    const story = new Story(twoStages());
    const play = (seconds: number, comingRps: number) =>
      story.run(seconds, 5, ({ nowMs }) => {
        story.input = { forecast: { ...certain(comingRps, nowMs), reactiveRps: 5 } };
      });
    // In the middle of an interval.
    const before = play(65, 50).goalReplicas("read");
    const { decisionId } = story.board;
    play(2, 200);
    assert.notEqual(story.board.decisionId, decisionId);
    assert.ok(story.goalReplicas("read") > before);
    assert.equal(story.goal("read"), "heavy");
  });

  it("keeps variants for the highest load of the hold window", () => {
    const story = new Story(twoStages());
    story.input = SHARED;
    story.run(60, 200);
    const busy = story.goal("detect");
    assert.notEqual(busy, "heavy");
    story.run(story.pipeline.scaleDownMs / 1000 - 2, 5);
    assert.equal(story.goal("detect"), busy);
    story.run(20, 5);
    assert.equal(story.goal("detect"), "heavy");
  });

  describe("where the demand is higher for a moment", () => {
    /** One replica of the heavy variant: 15 rps at 75 %, 20 at most. */
    const serveHeavy = (): Story => {
      const ladder = { heavy: [50, 0.95], light: [10, 0.9] } as const;
      const story = new Story(pipelineFixture([{ name: "detect", ladder, replicas: { min: 1, max: 1 } }]));
      story.input = SHARED;
      story.run(60, 12);
      assert.equal(story.goal("detect"), "heavy");
      return story;
    };

    it("keeps variants that live through it, until it was asked for all the time", () => {
      const story = serveHeavy();
      const { decisionId } = story.board;
      story.run(5, 16);
      assert.deepEqual([story.goal("detect"), story.board.decisionId], ["heavy", decisionId]);
      assert.ok(story.board.reasons.includes("held_excursion"));
      story.run(40, 16);
      assert.equal(story.goal("detect"), "light");
      assert.ok(!story.board.reasons.includes("held_excursion"));
    });

    it("leaves variants that would answer fewer right and in time, or have no capacity left", () => {
      for (const rateRps of [18.9, 19.5, 60]) assert.equal(serveHeavy().run(2, rateRps).goal("detect"), "light");
    });
  });

  it("says that replicas are held, also when the load has ended", () => {
    const story = new Story(twoStages()).run(30, 60).run(12, 0);
    assert.ok(story.board.reasons.includes("held_scale_down"));
    story.run(30, 0);
    assert.ok(!story.board.reasons.includes("held_scale_down"));
  });

  it("takes no admin endpoint's pin that only some switchers have", () => {
    const story = new Story(twoStages(), { podsAtStart: 2 });
    story.input = { pins: [{ stage: "detect", variant: null, batch: null, replicas: 2 }] };
    story.run(10, 2);
    const [first, second] = story.views("detect");
    const pinned = { ...first!, pin: { variant: "light", batch: 1 }, variant: "light" };
    story.input = { ...story.input, switchers: [pinned, second!, ...story.views("read")] };
    story.run(12, 2);
    assert.equal(story.goal("detect"), "heavy");
  });

  it("tells in shadow mode what there is, and what was there before where nothing is ready", () => {
    const story = new Story(twoStages(), { podsAtStart: 2 });
    story.input = { mode: "shadow" };
    story.run(10, 5);
    assert.equal(story.stage("detect").replicasNow, 2);
    story.input = { mode: "shadow", switchers: [] };
    story.run(10, 5);
    assert.equal(story.stage("detect").replicasNow, 2);
  });
});
