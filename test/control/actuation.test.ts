import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { asking, initialActuation, isStuck, leadMs, observeActuation, stuckCap } from "../../control/actuation.ts";
import type { Actuation } from "../../control/control-state.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

/** Observes `ready` replicas once a second until `toMs`. */
function observe(actuation: Actuation, ready: number, fromMs: number, toMs: number): Actuation {
  let after = actuation;
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += 1000) after = observeActuation(after, ready, nowMs);
  return after;
}

describe("leadMs()", () => {
  it("is 15 s before it was measured, then the 90th percentile within 2 s and 5 minutes", () => {
    assert.equal(leadMs(undefined), 15_000);
    assert.equal(leadMs(initialActuation(1)), 15_000);
    const measured = (leadsMs: readonly number[]) => leadMs({ ...initialActuation(1), leadsMs });
    assert.equal(measured([5000]), 5000);
    assert.equal(measured([9000, 3000, 4000, 5000, 6000, 7000, 8000, 1000, 2000, 10_000]), 10_000);
    assert.equal(measured(Array.from({ length: 20 }, (_, i) => (i + 1) * 1000)), 19_000);
    assert.equal(measured([10]), 2000);
    assert.equal(measured([3_600_000]), 300_000);
  });
});

describe("observeActuation()", () => {
  it("measures from asking to having, and keeps the newest 20", () => {
    let actuation = asking(initialActuation(1), 2, 0);
    actuation = observe(actuation, 1, 1000, 7000);
    assert.deepEqual([actuation.waitingSinceMs, isStuck(actuation, 7000)], [1000, false]);
    actuation = observe(actuation, 2, 8000, 9000);
    assert.deepEqual([actuation.leadsMs, actuation.waitingSinceMs], [[8000], null]);
    for (let i = 0; i < 30; i++) {
      const more = asking({ ...actuation, replicas: 1 }, 2, 0);
      actuation = observe(observe(more, 1, 0, 2000), 2, 3000 + i, 3000 + i);
    }
    assert.equal(actuation.leadsMs.length, 20);
    assert.equal(actuation.leadsMs.at(-1), 3029);
  });

  it("measures nothing when a replica was only away, or no more are asked for", () => {
    const away = observe(observe(initialActuation(2), 1, 0, 1000), 2, 2000, 2000);
    assert.deepEqual([away.leadsMs, away.waitingSinceMs], [[], null]);
    const fewer = asking(asking(initialActuation(2), 4, 0), 2, 5000);
    assert.deepEqual(observe(fewer, 2, 6000, 6000).leadsMs, []);
    assert.equal(asking(fewer, 2, 9000), fewer);
  });

  it("measures every count by itself while more and more are asked for", () => {
    let actuation = asking(initialActuation(1), 2, 0);
    actuation = asking(observe(actuation, 1, 1000, 10_000), 5, 10_000);
    actuation = observe(actuation, 2, 20_000, 20_000);
    assert.deepEqual([actuation.leadsMs, actuation.growth], [[20_000], [{ atMs: 10_000, from: 2, replicas: 5 }]]);
    actuation = observe(actuation, 4, 30_000, 30_000);
    actuation = observe(actuation, 5, 33_000, 33_000);
    assert.deepEqual([actuation.leadsMs, actuation.growth], [[20_000, 20_000, 23_000], []]);
  });

  it("goes on measuring what is still asked for when fewer are", () => {
    const growing = asking(initialActuation(1), 6, 0);
    assert.deepEqual(observe(asking(growing, 5, 10_000), 5, 40_000, 40_000).leadsMs, [40_000]);
    const halfway = observe(growing, 3, 20_000, 20_000);
    assert.deepEqual(observe(asking(halfway, 3, 30_000), 3, 31_000, 40_000).leadsMs, [20_000], "no more than came");
  });

  it("waits for as long as one more comes now and then, but not for one that comes and goes", () => {
    let actuation = initialActuation(5);
    for (const [i, ready] of [1, 2, 3, 4].entries())
      actuation = observe(actuation, ready, i * 170_000, i * 170_000 + 169_000);
    assert.equal(isStuck(actuation, 679_000), false);
    actuation = initialActuation(5);
    for (let i = 0; i < 20; i++) actuation = observe(actuation, i % 2 === 0 ? 3 : 4, i * 10_000, i * 10_000 + 9000);
    assert.equal(isStuck(actuation, 199_000), true);
  });

  it("takes replicas for stuck after three minutes, caps the plan at those that are ready, and waits 60 s, 120 s …", () => {
    let actuation = observe(initialActuation(5), 2, 0, 179_000);
    assert.deepEqual([isStuck(actuation, 179_000), stuckCap(actuation, 179_000)], [false, null]);
    actuation = observe(actuation, 2, 180_000, 180_000);
    assert.deepEqual([isStuck(actuation, 180_000), stuckCap(actuation, 180_000)], [true, 2]);
    assert.equal(stuckCap(actuation, 239_999), 2);
    // Whatever is asked for in the meantime is no retry.
    actuation = observe(actuation, 2, 181_000, 239_000);
    assert.equal(actuation.stuckTimes, 1);
    assert.equal(stuckCap(actuation, 240_000), null, "a retry");
    actuation = observe(actuation, 2, 240_000, 599_000);
    assert.equal(isStuck(actuation, 599_000), true, "it is still stuck while it is tried, twice as long");
    actuation = observe(actuation, 2, 600_000, 600_000);
    assert.deepEqual([actuation.stuckTimes, actuation.stuckUntilMs], [2, 720_000]);
  });

  it("waits three leads where they are longer", () => {
    const slow = { ...initialActuation(5), leadsMs: [100_000] };
    assert.equal(isStuck(observe(slow, 2, 0, 299_000), 299_000), false);
    assert.equal(isStuck(observe(slow, 2, 0, 300_000), 300_000), true);
  });

  it("waits an hour at most", () => {
    const actuation = { ...initialActuation(5), stuckTimes: 40, waitingSinceMs: 0, readyMost: 2, stuckAt: 2 };
    assert.equal(observeActuation(actuation, 2, 3_600_000).stuckUntilMs, 2 * 3_600_000);
  });

  it("is over with the first replica that comes after all", () => {
    const stuck = observe(initialActuation(5), 2, 0, 180_000);
    const after = observeActuation(stuck, 3, 185_000);
    assert.deepEqual([after.stuckAt, after.stuckTimes, stuckCap(after, 185_000)], [null, 0, null]);
    assert.equal(after.waitingSinceMs, 185_000, "the others are waited for from now on");
  });

  it("stays while the cap is what made the ready ones enough", () => {
    const stuck = observe(initialActuation(5), 2, 0, 180_000);
    const capped = observe({ ...stuck, replicas: 2 }, 2, 181_000, 230_000);
    assert.equal(stuckCap(capped, 230_000), 2);
    assert.equal(isStuck(capped, 240_000), false, "nothing is stuck when no more are asked for");
  });

  it("has no cap where none is ready: that may be switchers that can't be reached", () => {
    const stuck = observe(initialActuation(5), 0, 0, 180_000);
    assert.deepEqual([isStuck(stuck, 180_000), stuckCap(stuck, 180_000)], [true, null]);
  });
});

describe("tick(): replicas that do not come", () => {
  const slow = () => {
    // With lighter variants the replicas that are there are enough for a plan.
    const ladder = { light: [8, 0.88], middle: [25, 0.95], heavy: [60, 0.98] } as const;
    return pipelineFixture([{ name: "detect", ladder, replicas: { min: 1, max: 8 } }]);
  };

  it("lets pods start that take two minutes, and learns how long they take", () => {
    const story = new Story(slow()).run(20, 2);
    story.startMs = 120_000;
    let asked = 0;
    story.run(150, 60, ({ board }) => {
      const [detect] = board.stages;
      assert.ok((detect?.replicasNow ?? 0) >= asked, "fewer are asked for while they start");
      asked = detect?.replicasNow ?? 0;
    });
    assert.equal(story.stage("detect").replicasReady, asked);
    assert.ok(story.capacityRps() > 60);
    assert.ok(leadMs(story.state.actuations["detect"]) >= 120_000);
  });

  it("has the patience in the end for pods that take five minutes", () => {
    const story = new Story(slow()).run(20, 2);
    story.startMs = 300_000;
    story.run(700, 60);
    assert.ok(story.boards.some(board => board.reasons.includes("actuation_stuck")));
    assert.ok(story.capacityRps() > 60);
    assert.ok(leadMs(story.state.actuations["detect"]) >= 300_000);
    assert.equal(story.condition("ActuationStuck")?.status, false);
  });

  it("keeps its replicas when all switchers are gone", () => {
    const story = new Story(
      pipelineFixture([{ name: "detect", ladder: { heavy: [60, 0.98] }, replicas: { min: 1, max: 8 } }]),
    ).run(40, 60);
    const before = story.stage("detect").replicasNow;
    assert.ok(before >= 4);
    story.input = { switchers: [] };
    story.run(300, 60, ({ board }) => assert.equal(board.stages[0]?.replicasNow, before));
    assert.equal(story.condition("ActuationStuck")?.status, true);
    assert.ok(story.board.reasons.includes("actuation_stuck"));
    assert.match(story.condition("ActuationStuck")?.message ?? "", /detect .*; look for Pending or crashing pods$/);
    const full = "1 of 5 pods not ready: Unschedulable: 0/3 nodes are available (d-1)";
    story.input = { ...story.input, unready: { read: "something else", detect: full } };
    story.run(1, 60);
    assert.ok(story.condition("ActuationStuck")?.message.endsWith(`those that are; detect: ${full}`));
  });
});
