import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { pipelineFixture } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const LADDER = { heavy: [60, 0.98], light: [6, 0.5] } as const;

/** A settled story that serves the heavy variant with one replica. */
function settle(): Story {
  const story = new Story(pipelineFixture([{ name: "detect", ladder: LADDER, replicas: { min: 1, max: 8 } }])).run(
    40,
    2,
  );
  assert.deepEqual(story.served("detect"), ["heavy"]);
  return story;
}

const isGreen = (story: Story): boolean | undefined => story.condition("ServedAsPlanned")?.status;

describe("what is served beside what is planned", () => {
  it("is the same in steady times, and says so", () => {
    const story = settle();
    const condition = story.condition("ServedAsPlanned");
    assert.deepEqual([condition?.status, condition?.reason], [true, "AsPlanned"]);
    assert.equal(story.board.served?.accuracy, story.board.plan?.accuracy);
  });

  it("says the accuracy of the variants that served the rows, where lighter rungs do", () => {
    const story = settle();
    let [heavy, light] = [0, 0];
    const serve = (heavyRows: number, lightRows: number) => {
      heavy += heavyRows;
      light += lightRows;
      const batch = { rows: 1, totalMs: 0 };
      const serviceTimes = [
        { ...batch, variant: "heavy", batches: heavy },
        { ...batch, variant: "light", batches: light },
      ];
      story.report("detect", { serviceTimes, servedRows: heavy + light, droppedRows: 0 });
      story.run(1, 2);
      return story.board.served?.accuracy ?? 0;
    };
    serve(2, 0);
    assert.equal(serve(2, 0), story.board.plan?.accuracy);
    assert.ok(Math.abs(serve(1, 3) - (0.98 + 3 * 0.5) / 4) < 1e-9);
    assert.equal(serve(0, 0), story.board.plan?.accuracy);
    assert.equal(isGreen(story), true, "a lighter rung is no other plan");
  });

  it("is told with its cause while replicas serve something else, and until that has ended for good", () => {
    const story = settle();
    const pin = (isPinned: boolean) =>
      story.report("detect", {
        variant: isPinned ? "light" : "heavy",
        pin: isPinned ? { variant: "light", batch: 1 } : null,
      });
    story.input = { pins: [{ stage: "detect", variant: "heavy", batch: null, replicas: null }] };
    pin(true);
    story.run(1, 2);
    assert.deepEqual(
      [story.board.served?.accuracy, story.board.served?.stages[0]?.differing, isGreen(story)],
      [0.5, 1, true],
    );
    story.run(6, 2);
    const condition = story.condition("ServedAsPlanned");
    assert.deepEqual([condition?.status, condition?.reason], [false, "PinnedInPod"]);
    assert.equal(
      condition?.message,
      "detect: plans heavy; 1 of 1 replicas serves light (pinned at its admin endpoint)",
    );
    for (let i = 0; i < 5; i++) {
      pin(i % 2 === 1);
      story.run(2, 2);
      assert.equal(isGreen(story), false, "it goes to and fro");
    }
    pin(false);
    story.run(6, 2);
    assert.equal(isGreen(story), true);
  });

  it("stays green during switches that take no longer than the grace, one after the other", () => {
    const story = settle();
    story.switchMs = 3000;
    let differing = 0;
    for (const variant of ["light", "heavy", "light", "heavy"]) {
      // Neither is in memory, so that the switch has to load it.
      story.report("detect", { residentVariants: [] });
      story.input = { pins: [{ stage: "detect", variant, batch: null, replicas: null }] };
      story.run(15, 2, () => {
        differing += story.board.served?.stages[0]?.differing ?? 0;
        assert.equal(isGreen(story), true);
      });
      assert.deepEqual(story.served("detect"), [variant]);
    }
    assert.ok(differing > 0, "they were seen");
  });

  it("weighs accuracy by the shares of the replicas", () => {
    const story = new Story(pipelineFixture([{ name: "detect", ladder: LADDER, replicas: { min: 2, max: 2 } }]), {
      podsAtStart: 2,
    }).run(40, 2);
    const [first] = story.views("detect");
    assert.ok(first);
    story.input = {
      switchers: story.views("detect").map(view => (view.pod === first.pod ? { ...view, variant: "light" } : view)),
    };
    story.run(1, 2);
    assert.ok(Math.abs((story.board.served?.accuracy ?? 0) - (0.98 + 0.5) / 2) < 1e-9);
    assert.match(story.board.served?.stages[0]?.message ?? "", /^detect: plans heavy; 1 of 2 replicas serves light /);
  });

  it("names the variant that can't be loaded, and why", () => {
    const story = settle();
    const nack = {
      version: { epoch: 1, counter: 1_000_000 },
      variant: "heavy",
      code: "memory_short",
      message: "heavy needs 625 MiB",
    } as const;
    story.report("detect", { variant: "light", nack });
    story.run(1, 2);
    const [stage] = story.board.served?.stages ?? [];
    if (stage?.differing === 0) return;
    assert.match(stage?.message ?? "", /can't be loaded: memory_short: heavy needs 625 MiB/);
  });

  it("is not judged in shadow mode, nor without switchers", () => {
    const story = settle();
    story.input = { mode: "shadow" };
    story.run(2, 2);
    assert.equal(isGreen(story), undefined);
    story.input = { switchers: [], readyReplicas: { detect: 1 } };
    story.run(2, 2);
    assert.deepEqual([isGreen(story), story.board.served], [undefined, null]);
  });
});
