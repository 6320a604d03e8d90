import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

describe("tick(): variants and replicas over time", () => {
  it("serves heavy variants at low load, lighter ones and more replicas at high load, and comes back", () => {
    const story = new Story(twoStages()).run(30, 2);
    assert.deepEqual([story.served("detect"), story.served("read")], [["heavy"], ["heavy"]]);
    const accuracyLow = story.board.plan?.accuracy ?? 0;

    story.run(40, 150);
    assert.ok(story.stage("detect").replicasNow > 1);
    assert.ok((story.board.plan?.accuracy ?? 1) < accuracyLow);
    assert.ok((story.board.plan?.mix?.served ?? 0) > 0.99);

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

  it("never has less capacity than the demand, whatever the load does, once it was reached, without a ladder", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 2, maxLength: 4 }), rates => {
        const story = new Story(twoStages({ serving: { rule: "fixed" } }));
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
