import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { LastMinute } from "../../../domain/load-report.ts";
import type { Pipeline } from "../../../domain/pipeline.ts";
import { seededRandom } from "../../../load/seeded-random.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";
import { Story } from "../story.ts";

/** A thousand requests of the last ten seconds, of which so many were late. */
function late(count: number): LastMinute {
  const recent = { ended: 1000, inTime: 1000 - count };
  return { ...recent, recent, latencyMs: null };
}

/** A pipeline whose replicas are all there, at a rate that it has a plan for. */
function startSteady(pipeline: Pipeline = twoStages()): Story {
  const story = new Story(pipeline);
  story.input = { lastMinute: late(0) };
  return story.run(60, 20);
}

function missFor(seconds: number, story: Story, rateRps = 20): Story {
  story.input = { ...story.input, lastMinute: late(100) };
  return story.run(seconds, rateRps);
}

describe("the factor by which plans are for more than the load", () => {
  it("stays 1 while requests are in time, or late by no more than chance", () => {
    const story = startSteady();
    // The SLO is one of 95 %: of a thousand 50 may be late, and 65 are by chance.
    story.input = { lastMinute: late(65) };
    story.run(60, 20);
    assert.equal(story.state.attainmentFactor, 1);
    assert.ok(!story.board.reasons.includes("slo_missed"));
    assert.equal(story.condition("SloMissed")?.status, false);
  });

  it("rises while they are late although the plan says that they are not, up to one and a half, and plans follow it", () => {
    const story = startSteady();
    const before = story.board.plan!;
    missFor(25, story);
    assert.ok(Math.abs(story.state.attainmentFactor - 1.25) < 0.001, String(story.state.attainmentFactor));
    missFor(50, story);
    assert.equal(story.state.attainmentFactor, 1.5);
    const after = story.board.plan!;
    assert.ok(Math.abs(after.rateRps - 30) < 0.5, String(after.rateRps));
    assert.ok(after.cores > before.cores || after.accuracy < before.accuracy);
    assert.ok(story.board.reasons.includes("slo_missed"), story.board.reasons.join());
    const told = story.boards.findLast(({ given }) => given !== null)?.given?.attainmentFactor ?? 1;
    assert.ok(told > 1.4, String(told));
    const { status, reason, message } = story.condition("SloMissed")!;
    assert.deepEqual([status, reason], [true, "PlanFailed"]);
    assert.match(
      message,
      /^90 % of the requests of the last minute were answered within 500 ms, and should be 95 %: .*up to 1\.5 times the load, which they are now/,
    );
  });

  it("falls slowly when they are in time again", () => {
    const story = missFor(75, startSteady());
    story.input = { lastMinute: late(0) };
    story.run(600, 20);
    assert.ok(Math.abs(story.state.attainmentFactor - 1.2) < 0.001, String(story.state.attainmentFactor));
    story.run(420, 20);
    assert.equal(story.state.attainmentFactor, 1);
    story.run(30, 20);
    assert.ok(!story.board.reasons.includes("slo_missed"));
  });

  it("falls where no plan meets every constraint any more, and where nobody says how requests end", () => {
    const tooMuch = missFor(30, startSteady());
    const before = tooMuch.state.attainmentFactor;
    assert.ok(before > 1.2, String(before));
    missFor(20, tooMuch, 5000);
    assert.ok(tooMuch.state.attainmentFactor < before, String(tooMuch.state.attainmentFactor));
    const silent = missFor(30, startSteady());
    silent.input = { lastMinute: null };
    silent.run(20, 20);
    assert.ok(silent.state.attainmentFactor < before);
  });

  it("is 1 at once under a policy that is not corrected", () => {
    const story = missFor(30, startSteady());
    const { objective } = story.pipeline;
    story.pipeline = { ...story.pipeline, objective: { ...objective, policy: "ipa" } };
    story.run(1, 20);
    assert.equal(story.state.attainmentFactor, 1);
  });

  it("counts no requests that were late before the plan was in place", () => {
    const story = startSteady();
    story.kill("read");
    missFor(8, story);
    assert.equal(story.stage("read").replicasReady, story.stage("read").replicasNow);
    const { attainmentFactor } = story.state;
    assert.equal(attainmentFactor, 1);
    missFor(20, story);
    assert.ok(story.state.attainmentFactor > 1.05);
  });

  it("hardly moves where as many are late as may be", () => {
    const story = startSteady();
    const random = seededRandom(5);
    for (let second = 0; second < 600; second += 1) {
      let count = 0;
      for (let request = 0; request < 40; request += 1) if (random() < 0.05) count += 1;
      const recent = { ended: 40, inTime: 40 - count };
      story.input = { lastMinute: { ...recent, recent, latencyMs: null } };
      story.run(1, 20);
    }
    assert.ok(story.state.attainmentFactor < 1.03, String(story.state.attainmentFactor));
  });

  it("is left as it is while replicas are missing, and says so", () => {
    const story = startSteady();
    story.kill("read");
    story.mostPods = 0;
    missFor(20, story);
    assert.equal(story.state.attainmentFactor, 1);
    assert.equal(story.condition("SloMissed")?.reason, "ReplicasMissing");
    assert.match(story.condition("SloMissed")?.message ?? "", /replicas of .*read/);
  });

  it("is left as it is where the load is above the plan, no plan meets every constraint, or the mode is shadow", () => {
    const shadow = startSteady();
    shadow.input = { ...shadow.input, mode: "shadow" };
    assert.equal(missFor(20, shadow).state.attainmentFactor, 1);
    const above = startSteady();
    above.input = { lastMinute: late(100) };
    // Before anything is planned for it: a tick plans after it has looked.
    above.run(1, 80);
    assert.equal(above.state.attainmentFactor, 1);
    const tooMuch = startSteady();
    tooMuch.run(1, 5000);
    assert.equal(missFor(20, tooMuch, 5000).state.attainmentFactor, 1);
    assert.equal(tooMuch.condition("SloMissed")?.reason, "PlanInfeasible");
  });

  it("is for no HPA, for no policy of the literature, and not where nobody says how requests end", () => {
    const { objective, ...rest } = twoStages();
    for (const policy of ["reactive", "ipa", "infaas", "modelSwitching"] as const)
      assert.equal(
        missFor(20, startSteady({ ...rest, objective: { ...objective, policy } })).state.attainmentFactor,
        1,
        policy,
      );
    const silent = startSteady();
    silent.input = { lastMinute: null };
    silent.run(20, 20);
    assert.equal(silent.state.attainmentFactor, 1);
    assert.equal(silent.condition("SloMissed"), undefined);
    const { recent: _, ...older } = late(100);
    silent.input = { lastMinute: older };
    silent.run(20, 20);
    assert.equal(silent.state.attainmentFactor, 1);
    assert.equal(silent.condition("SloMissed")?.status, true);
  });

  it("takes what can't be for nothing", () => {
    const story = startSteady();
    for (const wrong of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      story.input = { lastMinute: { ...late(100), recent: { ended: wrong, inTime: 0 } } };
      story.run(5, 20);
    }
    story.input = { lastMinute: { ...late(100), recent: { ended: 1, inTime: 2 } } };
    story.run(5, 20);
    assert.equal(story.state.attainmentFactor, 1);
  });
});
