import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { compareVersions } from "../../domain/assignment.ts";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

describe("tick(): variants and replicas over time", () => {
  it("serves heavy variants at low load, lighter ones and more replicas at high load, and comes back", () => {
    const story = new Story(twoStages()).run(30, 2);
    assert.deepEqual([story.served("detect"), story.served("read")], [["heavy"], ["heavy"]]);
    const accuracyLow = story.board.plan?.accuracy ?? 0;

    story.run(40, 150);
    assert.ok(story.stage("detect").replicasNow > 1);
    assert.ok((story.board.plan?.accuracy ?? 1) < accuracyLow);
    assert.ok(story.capacityRps() > 150);

    story.run(60, 2);
    assert.deepEqual([story.served("detect"), story.served("read")], [["heavy"], ["heavy"]]);
  });

  it("holds the demand of exactly the window that the file states", () => {
    const story = new Story(twoStages({ stabilisation: { scaleDownMs: 10_000 } })).run(30, 60);
    const before = story.stage("detect").replicasNow;
    // A plan is made every 10 s: the first one after the window is the one that gives replicas back.
    const heldUntil = story.nowMs + 10_000;
    story.run(30, 1, ({ board, nowMs }) => {
      if (nowMs <= heldUntil) assert.equal(board.stages[0]?.replicasNow, before);
    });
    assert.ok(story.stage("detect").replicasNow < before);
    const { demands } = story.state;
    assert.ok(
      (demands[0]?.atMs ?? 0) >= (demands.at(-1)?.atMs ?? 0) - 10_000,
      "now, and at most the ten seconds before",
    );
  });

  it("holds capacity for the whole hold window before it gives any back", () => {
    const story = new Story(twoStages()).run(30, 60);
    const before = story.stage("detect").replicasNow;
    story.run(19, 1);
    assert.equal(story.stage("detect").replicasNow, before);
    assert.ok(story.board.reasons.includes("held_scale_down"));
    story.run(20, 1);
    assert.ok(story.stage("detect").replicasNow < before);
  });

  it("plans for a surge at once, not at the next interval", () => {
    const story = new Story(twoStages()).run(12, 2);
    const decision = story.board.decisionId;
    story.run(1, 60);
    assert.notEqual(story.board.decisionId, decision);
    assert.ok((story.board.plan?.rateRps ?? 0) >= 60);
  });

  it("does not change variants for a wobble of the load", () => {
    const story = new Story(twoStages()).run(40, 20);
    const variants = [story.goal("detect"), story.goal("read")];
    for (let i = 0; i < 30; i++) {
      story.run(4, 20 + (i % 3));
      assert.deepEqual([story.goal("detect"), story.goal("read")], variants);
    }
  });

  it("never has less capacity than the demand, whatever the load does, once it was reached", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 2, maxLength: 4 }), rates => {
        const story = new Story(twoStages());
        let reached = false;
        for (const rate of rates) {
          reached = false;
          story.run(45, rate, ({ capacityRps }) => {
            const enough = capacityRps.call(story) >= rate;
            assert.ok(enough || !reached, `capacity ${capacityRps.call(story)} fell below ${rate} at ${story.nowMs}`);
            reached ||= enough;
          });
          assert.ok(reached, `never reached ${rate}`);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("gives the same boards for the same story", () => {
    const play = () => new Story(twoStages()).run(20, 2).run(20, 40).run(40, 3).boards;
    assert.deepEqual(play(), play());
  });
});

describe("tick(): make-before-break", () => {
  it("gives replicas back only when the lighter variant is served", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { heavy: [60, 0.98], light: [6, 0.5] } }]);
    const story = new Story(pipeline, { podsAtStart: 1 }).run(30, 60);
    assert.equal(story.goal("detect"), "heavy");
    const many = story.stage("detect").replicasNow;
    assert.ok(many >= 4, `${many} replicas`);
    story.switchMs = 5000;
    story.input = { pins: [{ stage: "detect", variant: "light", batch: null, replicas: null }] };
    story.run(1, 60);
    assert.ok(story.goalReplicas("detect") < many);
    assert.equal(story.stage("detect").replicasNow, many);
    assert.ok(story.board.reasons.includes("make_before_break"));
    story.run(8, 60);
    assert.equal(story.stage("detect").replicasNow, story.goalReplicas("detect"));
  });

  it("takes heavier variants pod by pod, only as far as the replicas that are ready allow", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { light: [10, 0.5], heavy: [60, 0.98] } }]);
    const story = new Story(pipeline);
    story.input = { pins: [{ stage: "detect", variant: "light", batch: 1, replicas: null }] };
    story.run(30, 40);
    assert.deepEqual(story.served("detect"), ["light"]);
    story.input = {};
    story.startMs = 10_000;
    story.run(5, 40);
    assert.deepEqual(story.served("detect"), ["light"], "the one ready pod must not get heavier yet");
    assert.ok(story.stage("detect").replicasNow > 1);
    story.run(40, 40);
    assert.ok(story.served("detect").every(variant => variant === "heavy"));
  });

  for (const { machineCores, told } of [
    { machineCores: 2, told: "light" },
    { machineCores: null, told: "heavy" },
  ]) {
    it(`tells a stage to serve what is ${told} while another still has to get lighter, on ${machineCores ?? "their own"} cores`, () => {
      const pin = (stage: string, variant: string) => ({ stage, variant, batch: 1, replicas: null });
      const limits = { cores: null, machineCores };
      const story = new Story(twoStages());
      story.switchMs = 5000;
      story.input = { limits, pins: [pin("detect", "light"), pin("read", "heavy")] };
      story.run(30, 2);
      story.input = { limits, pins: [pin("detect", "heavy"), pin("read", "middle")] };
      const toldNow = () => Object.values(story.stage("detect").assignments).map(assignment => assignment.variant);
      story.run(3, 2);
      assert.deepEqual(story.served("read"), ["heavy"]);
      assert.deepEqual(toldNow(), [told]);
      assert.equal(story.board.reasons.includes("make_before_break"), told === "light");
      story.run(12, 2);
      assert.deepEqual([story.served("detect"), story.served("read")], [["heavy"], ["middle"]]);
    });
  }

  it("grows in steps while replicas are not ready yet", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { only: [50, 0.9] }, replicas: { min: 1, max: 40 } }]);
    const story = new Story(pipeline).run(15, 2);
    story.run(1, 400);
    assert.ok(story.goalReplicas("detect") >= 25);
    assert.equal(story.stage("detect").replicasNow, 5);
    assert.ok(story.board.reasons.includes("capped_step"));
    story.run(30, 400);
    assert.equal(story.stage("detect").replicasNow, story.goalReplicas("detect"));
  });

  it("takes no steps to replicas that an operator pinned", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { only: [50, 0.9] }, replicas: { min: 1, max: 40 } }]);
    const story = new Story(pipeline).run(15, 2);
    story.input = { pins: [{ stage: "detect", variant: null, batch: null, replicas: 20 }] };
    story.run(1, 2);
    assert.equal(story.stage("detect").replicasNow, 20);
    assert.ok(!story.board.reasons.includes("capped_step"));
  });
});

describe("tick(): the guard", () => {
  it("takes resident lighter variants within a second when replicas are short, and leaves with headroom after its dwell", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { heavy: [60, 0.98], light: [6, 0.5] } }]);
    const story = new Story(pipeline);
    story.startMs = 20_000;
    story.run(30, 5);
    assert.deepEqual(story.views("detect")[0]?.residentVariants, ["heavy", "light"], "the fallback is resident");
    assert.deepEqual(story.served("detect"), ["heavy"]);
    story.run(1, 60);
    assert.equal(story.board.guarding, true);
    assert.equal(story.goal("detect"), "heavy", "the goal stays: more replicas of it are under way");
    story.run(1, 60);
    assert.deepEqual(story.served("detect"), ["light"]);
    story.run(60, 60);
    assert.equal(story.board.guarding, false);
    assert.ok(story.served("detect").includes("heavy"));
  });

  it("acts on a backlog alone", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { heavy: [60, 0.98], light: [6, 0.5] } }]);
    const story = new Story(pipeline).run(30, 5);
    story.report("detect", { queuedRows: 40 });
    story.run(1, 5);
    assert.equal(story.board.guarding, true);
    assert.ok(story.board.reasons.includes("guard"));
    story.report("detect", { queuedRows: 0 });
    story.run(3, 5);
    assert.equal(story.board.guarding, true, "it stays for its dwell");
    story.run(5, 5);
    assert.equal(story.board.guarding, false);
  });
});

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
    ]);
    story.run(10, 5).run(5, null);
    assert.deepEqual(said(), [
      ["MetricsAvailable", false, "NoData"],
      ["Ready", true, "Planned"],
      ["PlanFeasible", true, "Feasible"],
      ["ActuationStuck", false, "Following"],
    ]);
    assert.deepEqual(
      story.board.conditions.map(({ sinceMs }) => sinceMs - startMs),
      [11_000, 1000, 0, 0],
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

describe("tick(): what goes wrong", () => {
  it("puts a variant that can't be loaded in quarantine, plans without it and tries again with back-off", () => {
    const story = new Story(twoStages());
    story.broken.add("read/heavy");
    story.report("read", { variant: "middle", residentVariants: ["middle"] });
    story.run(12, 2);
    assert.equal(story.goal("read"), "middle");
    assert.ok(story.board.reasons.includes("quarantined"));
    assert.equal(story.state.quarantines[0]?.failures, 1);
    const versions = story.stage("read").assignments;
    story.run(40, 2);
    assert.deepEqual(story.stage("read").assignments, versions, "no loop of refusals");
    story.run(25, 2);
    assert.equal(story.state.quarantines[0]?.failures, 2);
    story.broken.clear();
    story.run(125, 2);
    assert.equal(story.goal("read"), "heavy");
  });

  it("takes replicas that never come for stuck, plans with those that are there and retries", () => {
    const story = new Story(twoStages()).run(20, 2);
    story.mostPods = 2;
    story.run(200, 100);
    assert.equal(story.condition("ActuationStuck")?.status, true);
    assert.ok(story.board.reasons.includes("actuation_stuck"));
    for (const stage of ["detect", "read"])
      assert.ok(story.goalReplicas(stage) <= Math.max(2, story.stage(stage).replicasReady), stage);
    story.mostPods = Number.POSITIVE_INFINITY;
    story.run(120, 100);
    assert.equal(story.condition("ActuationStuck")?.status, false);
    assert.ok(story.capacityRps() > 100);
  });

  it("says what is shed where nothing is feasible", () => {
    const pipeline = pipelineFixture([{ name: "detect", ladder: { only: [50, 0.9] }, replicas: { min: 1, max: 2 } }]);
    const story = new Story(pipeline).run(30, 1000);
    assert.equal(story.condition("PlanFeasible")?.status, false);
    assert.ok((story.board.plan?.shedRps ?? 0) > 900);
    assert.equal(story.stage("detect").replicasNow, 2);
  });

  it("asks again for a pod that died", () => {
    const story = new Story(twoStages()).run(40, 60);
    const replicas = story.stage("detect").replicasNow;
    story.kill("detect");
    story.run(10, 60);
    assert.equal(story.stage("detect").replicasNow, replicas);
    assert.equal(story.served("detect").length, replicas);
  });

  it("corrects service times by what is measured, within bounds, and not while a pod protects itself", () => {
    const story = new Story(twoStages()).run(20, 5);
    let batches = 0;
    const measure = (factor: number, seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        batches += 10;
        story.report("detect", {
          serviceTimes: [
            {
              variant: "heavy",
              rows: 1,
              batches,
              totalMs: (story.views("detect")[0]?.serviceTimes[0]?.totalMs ?? 0) + 10 * 60 * factor,
            },
          ],
        });
        story.run(1, 5);
      }
    };
    measure(1.5, 130);
    assert.ok(Math.abs((story.board.corrections["detect"] ?? 0) - 1.5) < 0.02);
    measure(10, 130);
    assert.ok(Math.abs((story.board.corrections["detect"] ?? 0) - 2) < 0.01);
    story.report("detect", { protecting: true });
    const frozen = story.board.corrections["detect"];
    measure(1, 40);
    assert.equal(story.board.corrections["detect"], frozen);
  });
});

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
      assert.deepEqual(stage.assignments, {});
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

  it("tells each switcher its decision, and when to protect itself", () => {
    const story = new Story(twoStages()).run(30, 5);
    const assignment = Object.values(story.stage("detect").assignments)[0]!;
    assert.match(assignment.decisionId, /^d-1-\d+$/);
    const { variant, batch, maxWaitMs, fallbackVariant, overload } = assignment;
    assert.deepEqual([variant, batch, maxWaitMs, fallbackVariant], ["heavy", 1, 0, "light"]);
    // Shares of the SLO's 500 ms.
    assert.deepEqual(overload, { enterQueueMs: 200, exitQueueMs: 50, dwellMs: 2000 });
    assert.deepEqual({ ...story.stage("detect").newcomer, version: 0 }, { ...assignment, version: 0 });
  });

  it("issues newer versions after a change of leader and only on a change of what is assigned", () => {
    const story = new Story(twoStages()).run(30, 5);
    const before = Object.values(story.stage("detect").assignments)[0]?.version;
    story.run(30, 5);
    assert.deepEqual(Object.values(story.stage("detect").assignments)[0]?.version, before);
    story.input = { epoch: 2 };
    story.run(1, 5);
    const after = Object.values(story.stage("detect").assignments)[0]?.version;
    assert.ok(before && after && compareVersions(after, before) > 0);
    assert.equal(after.epoch, 2);
  });
});
