import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { plainBoard } from "../../control/board.ts";
import type { SwitcherView } from "../../control/switcher-view.ts";
import type { Forecast } from "../../domain/load.ts";
import { twoStages } from "../support/pipeline-fixture.ts";
import { certain, Story } from "./story.ts";

const served = (story: Story) => story.board.stages.map(stage => stage.replicasNow);

describe("tick(): forecasts and samples that can't be true", () => {
  const forecast = certain(5, 0);
  const wrong: Record<string, Forecast> = {
    "a quantile of NaN": { ...forecast, intensityRps: [5, 5, Number.NaN, 5] },
    "an infinite peak": { ...forecast, peakRps: [5, 5, 5, Number.POSITIVE_INFINITY] },
    "a negative rate now": { ...forecast, reactiveRps: -1 },
    "an absurd rise": { ...forecast, riseRps: 1e300 },
    "an absurd rate": { ...forecast, reactiveRps: 1e300 },
  };
  for (const [name, broken] of Object.entries(wrong)) {
    it(`takes ${name} for no data: replicas stay and a condition says so`, () => {
      const story = new Story(twoStages()).run(40, 60);
      const before = served(story);
      const decision = story.board.decisionId;
      story.input = { forecast: broken };
      story.run(60, 60);
      assert.deepEqual(served(story), before);
      assert.equal(story.board.decisionId, decision);
      assert.equal(story.board.forecast, null);
      assert.equal(story.condition("MetricsAvailable")?.status, false);
      assert.deepEqual(JSON.parse(JSON.stringify(plainBoard(story.board))), plainBoard(story.board));
    });
  }

  it("shows no sample that is not a rate", () => {
    const story = new Story(twoStages());
    for (const load of [
      { atMs: 1, rateRps: Number.NaN },
      { atMs: 1, rateRps: -1 },
      { atMs: Number.NaN, rateRps: 1 },
    ]) {
      story.input = { load };
      assert.equal(story.run(1, 5).board.load, null);
    }
  });
});

describe("tick(): switchers that lie", () => {
  const lies: Record<string, Partial<SwitcherView>> = {
    "a variant that does not exist": { variant: "ghost" },
    "batches of 0": { batch: 0 },
    "batches of NaN": { batch: Number.NaN },
    "a negative queue": { queuedRows: -5 },
    "a queue of NaN": { queuedRows: Number.NaN },
    "an infinite queue": { queuedRows: Number.POSITIVE_INFINITY },
    "missing variants that do not exist": { missingVariants: ["ghost", "phantom"] },
    "residents that do not exist": { residentVariants: ["ghost", "phantom"] },
    "a stage that does not exist": { stage: "ghost" },
    "service times of NaN": {
      serviceTimes: [{ variant: "heavy", rows: Number.NaN, batches: Number.NaN, totalMs: Number.NaN }],
    },
    "a time factor of NaN": { timeFactor: Number.NaN, timedBatches: 1e6 },
    "a negative time factor": { timeFactor: -2, timedBatches: 1e6 },
    "timed batches of NaN": { timeFactor: 3, timedBatches: Number.NaN },
    "batches of no rows": { serviceTimes: [{ variant: "heavy", rows: 0, batches: 5, totalMs: 100 }] },
    "a refusal of a variant that does not exist": {
      nack: { version: { epoch: 1, counter: 1 }, variant: "ghost", code: "model_invalid", message: "" },
    },
  };
  for (const [name, lie] of Object.entries(lies)) {
    it(`goes on with ${name}, and takes no replicas away`, () => {
      const story = new Story(twoStages()).run(40, 60);
      const before = served(story);
      story.run(60, 60, told => {
        for (const stage of ["detect", "read"]) told.report(stage, lie);
        assert.deepEqual(JSON.parse(JSON.stringify(plainBoard(told.board))), plainBoard(told.board));
        assert.equal(told.board.plan?.feasible, true);
        for (const [i, replicas] of served(told).entries()) assert.ok(replicas >= (before[i] ?? 0), `${replicas}`);
      });
      for (const correction of Object.values(story.board.corrections)) assert.equal(correction, 1);
      assert.deepEqual(story.state.quarantines, []);
    });
  }

  it("corrects no further than the bounds by absurd factors, and little by one liar among many", () => {
    const story = new Story(twoStages()).run(60, 100);
    const pods = story.views("detect").length;
    assert.ok(pods >= 4);
    let batches = 0;
    const liar = story.views("detect")[0]?.pod;
    for (let second = 0; second < 100; second++) {
      batches += 10;
      story.input = {
        switchers: ["detect", "read"].flatMap(stage =>
          story.views(stage).map(view => ({
            ...view,
            ...(view.pod === liar
              ? { timedBatches: batches * 1e6, timeFactor: 1e15 }
              : { timedBatches: batches, timeFactor: 1 }),
          })),
        ),
      };
      story.run(1, 100);
      assert.ok((story.board.corrections["detect"] ?? 0) <= 4);
    }
    assert.ok((story.board.corrections["detect"] ?? 9) < 1.9, `${story.board.corrections["detect"]}`);
  });

  it("counts a pod once that is reported twice", () => {
    const story = new Story(twoStages()).run(20, 5);
    const views = story.views("detect");
    story.input = { switchers: [...views, ...views, ...story.views("read")] };
    story.run(1, 5);
    assert.equal(story.stage("detect").replicasReady, 1);
  });

  it("ticks with hundreds of switchers", () => {
    const story = new Story(twoStages()).run(20, 5);
    const [detect] = story.views("detect");
    const many = Array.from({ length: 500 }, (_, i) => ({ ...detect!, pod: `detect-${i}` }));
    story.input = { switchers: [...many, ...story.views("read")] };
    story.run(3, 50);
    assert.equal(story.stage("detect").replicasReady, 500);
    assert.equal(story.stage("detect").assignments.size, 500);
  });
});
