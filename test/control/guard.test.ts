import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { certain, Story } from "./story.ts";

const LADDER = { heavy: [60, 0.98], middle: [25, 0.95], light: [6, 0.5] } as const;
const one = (replicas = { min: 1, max: 8 }) => pipelineFixture([{ name: "detect", ladder: LADDER, replicas }]);

/** A guard that took over for a backlog, at a low rate. */
function guarding(): Story {
  const story = new Story(one()).run(30, 5);
  story.report("detect", { queuedRows: 40 });
  story.run(1, 5);
  assert.equal(story.board.guarding, true);
  return story;
}

describe("guardTick()", () => {
  it("takes only what is resident on every ready switcher", () => {
    const story = new Story(one());
    story.startMs = 20_000;
    story.run(30, 5);
    story.report("detect", { residentVariants: ["heavy", "middle"] });
    story.run(2, 60);
    assert.equal(story.board.guarding, true);
    assert.deepEqual(story.served("detect"), ["middle"], "the light one would have to be loaded");
  });

  it("takes the most accurate variants that hold, not the lightest", () => {
    const story = new Story(one());
    story.startMs = 20_000;
    story.run(30, 5);
    story.report("detect", { residentVariants: ["heavy", "middle", "light"] });
    story.run(2, 25);
    assert.deepEqual(story.served("detect"), ["middle"]);
  });

  it("leaves what is in quarantine out, also after it took it", () => {
    const story = new Story(one());
    story.startMs = 60_000;
    story.run(30, 5);
    story.report("detect", { residentVariants: ["heavy", "middle", "light"] });
    story.broken.add("detect/light");
    story.run(1, 100);
    assert.equal([...story.stage("detect").assignments.values()][0]?.variant, "light");
    story.run(2, 100);
    assert.equal(story.board.guarding, true);
    assert.equal([...story.stage("detect").assignments.values()][0]?.variant, "middle");
  });

  it("does so where only one of several stages is affected", () => {
    const story = new Story(twoStages());
    story.startMs = 60_000;
    story.run(30, 2);
    // Refused long before: it is left out, and is not what the guard takes.
    const nack = { version: { epoch: 1, counter: 1 }, variant: "middle", code: "model_invalid", message: "" } as const;
    story.report("read", { nack });
    story.run(1, 2);
    for (const stage of ["detect", "read"]) story.report(stage, { residentVariants: ["heavy", "middle", "light"] });
    story.broken.add("detect/light");
    story.run(1, 90);
    const told = () => [...story.stage("detect").assignments.values()][0]?.variant;
    assert.equal(told(), "light");
    story.run(2, 90);
    assert.deepEqual([story.board.guarding, told()], [true, "middle"]);
  });

  it("needs no guard below 95 % of what the ready replicas can, and takes over above", () => {
    const ladder = { heavy: [50, 0.98], light: [6, 0.5] } as const;
    const pipeline = pipelineFixture([{ name: "detect", ladder }], { slo: { latencyMs: 5000 } });
    const story = new Story(pipeline);
    story.startMs = 1e9;
    story.run(30, 5).run(1, 18.9);
    assert.equal(story.board.guarding, false);
    story.run(1, 19.1);
    assert.equal(story.board.guarding, true);
  });

  it("sees that a shared machine is short, however many replicas there are", () => {
    for (const { reactiveRps, guarding } of [
      { reactiveRps: 15.5, guarding: false },
      { reactiveRps: 16.1, guarding: true },
    ]) {
      const pipeline = pipelineFixture([{ name: "detect", ladder: LADDER, replicas: { min: 6, max: 6 } }]);
      const story = new Story(pipeline, { podsAtStart: 6 });
      const limits = { cores: null, machineCores: 1 };
      story.input = { limits };
      story.run(30, 5);
      assert.deepEqual(new Set(story.served("detect")), new Set(["heavy"]));
      story.input = { limits, forecast: { ...certain(5, story.nowMs), reactiveRps } };
      story.run(1, 5);
      assert.equal(story.board.guarding, guarding, `${reactiveRps} rps of 60 ms on one core`);
    }
  });

  it("takes over for a predicted latency above the SLO at a rate that the replicas keep up with", () => {
    const story = new Story(one()).run(30, 5);
    story.report("detect", { queuedRows: 7 });
    assert.equal(story.run(1, 5).board.guarding, false, "7 · 60 ms + 60 ms are within 500 ms");
    story.report("detect", { queuedRows: 8 });
    assert.equal(story.run(1, 5).board.guarding, true);
  });

  it("stays for 5 s, and as long as the goal would not hold", () => {
    const story = guarding();
    story.report("detect", { queuedRows: 0 });
    story.run(4, 5);
    assert.equal(story.board.guarding, true);
    story.run(1, 5);
    assert.equal(story.board.guarding, false);
  });

  it("goes back to the goal with fewer replicas than planned only with 20 % headroom", () => {
    const story = new Story(one());
    story.startMs = 1e9;
    story.run(30, 5).run(10, 60);
    assert.equal(story.board.guarding, true);
    // One replica of the heavy variant takes 12.5 rps at 75 %: 10.4 with headroom.
    story.run(15, 11);
    assert.equal(story.goalReplicas("detect"), 5, "the plan holds what it has");
    assert.equal(story.board.guarding, true);
    story.run(4, 10);
    assert.equal(story.board.guarding, false);
  });

  it("does nothing in shadow mode, without a plan, and where a stage has nothing ready", () => {
    const shadow = new Story(one());
    shadow.input = { mode: "shadow" };
    shadow.run(30, 5);
    shadow.report("detect", { queuedRows: 400 });
    assert.equal(shadow.run(1, 5).board.guarding, false);

    const unplanned = new Story(one());
    unplanned.report("detect", { queuedRows: 400 });
    assert.equal(unplanned.run(3, null).board.guarding, false);

    const down = new Story(twoStages()).run(30, 5);
    down.report("detect", { ready: false, queuedRows: 400 });
    down.mostPods = 0;
    assert.equal(down.run(2, 5).board.guarding, false);
  });

  it("keeps an operator's variant, and gives no replicas back while it is there", () => {
    const story = new Story(one());
    story.input = { pins: [{ stage: "detect", variant: "heavy", batch: null, replicas: 2 }] };
    story.run(30, 5);
    story.report("detect", { queuedRows: 400 });
    story.run(3, 5);
    assert.equal(story.board.guarding, true);
    assert.deepEqual(new Set(story.served("detect")), new Set(["heavy"]));
    story.input = {};
    story.run(20, 1);
    assert.equal(story.stage("detect").replicasNow, 2);
  });

  it("counts what the queue of one stage means in requests, behind a fan-out", () => {
    const story = new Story(twoStages()).run(30, 2);
    story.report("read", { queuedRows: 20, residentVariants: ["heavy", "middle", "light"] });
    story.run(1, 2);
    assert.equal(story.board.guarding, false, "20 rows of 20 ms on one replica are 400 ms of 500");
    story.report("read", { queuedRows: 23 });
    story.run(1, 2);
    assert.equal(story.board.guarding, true);
  });

  it("looks at the busiest stage, and at the rows that what is served sends it", () => {
    const file = pipelineFixture(
      [
        { name: "detect", ladder: { heavy: [10, 0.98], light: [5, 0.5] } },
        { name: "read", ladder: { heavy: [20, 0.9], light: [2, 0.4] } },
      ],
      { slo: { latencyMs: 5000 } },
    );
    const stages = file.stages.map(stage =>
      stage.name === "read" ? { ...stage, fanOut: { default: 1, byUpstreamVariant: { light: 5 } } } : stage,
    );
    const story = new Story({ ...file, stages });
    story.startMs = 1e9;
    story.run(30, 12);
    assert.equal(story.board.guarding, false, "a quarter of what each stage can");
    story.report("detect", { variant: "light" });
    story.run(1, 12);
    assert.equal(story.board.guarding, true, "60 rows of 20 ms on one replica");
  });

  it("expects a queue to be drained by no more cores than the machine has", () => {
    for (const { queuedRows, guarding } of [
      { queuedRows: 2, guarding: false },
      { queuedRows: 6, guarding: true },
    ]) {
      const file = pipelineFixture([{ name: "detect", ladder: { only: [100, 0.9] }, replicas: { min: 2, max: 2 } }]);
      const stages = file.stages.map(stage => ({ ...stage, cores: 2 }));
      const story = new Story({ ...file, stages }, { podsAtStart: 2 });
      story.input = { limits: { cores: null, machineCores: 2 } };
      story.run(30, 1);
      // 20 rps of two replicas, half of it on two cores: 100 ms a row, and 100 ms of its own.
      story.report("detect", { queuedRows: Math.ceil(queuedRows / 2) });
      story.run(1, 1);
      assert.equal(story.board.guarding, guarding, `${queuedRows} rows`);
    }
  });

  it("expects a request to get into the longest batch", () => {
    for (const { batch, guarding } of [
      { batch: 7, guarding: false },
      { batch: 8, guarding: true },
    ]) {
      const story = new Story(one(), { podsAtStart: 2 });
      story.input = { pins: [{ stage: "detect", variant: "heavy", batch: 1, replicas: 2 }] };
      story.run(30, 2);
      const [first, second] = story.views("detect");
      story.input = { ...story.input, switchers: [{ ...first!, batch, queuedRows: 1 }, second!] };
      story.run(1, 2);
      assert.equal(story.board.guarding, guarding, `${batch} · 60 ms, and 30 ms for the row that waits`);
    }
  });

  it("drains a backlog also where another stage gets no rows", () => {
    const pipeline = pipelineFixture([
      { name: "detect", ladder: LADDER },
      { name: "read", ladder: { only: [20, 0.9] }, fanOut: 0 },
    ]);
    const story = new Story(pipeline).run(30, 5);
    story.report("detect", { queuedRows: 40 });
    story.run(2, 5);
    assert.equal(story.board.guarding, true);
    assert.deepEqual(story.served("detect"), ["light"]);
  });
});
