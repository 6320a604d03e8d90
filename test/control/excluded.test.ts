import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { excludedVariants, findLeftOut, groupByStage, missingVariants } from "../../control/excluded.ts";
import type { SwitcherView } from "../../control/switcher-view.ts";
import type { TickInput } from "../../control/tick-input.ts";
import { pipelineFixture, twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

/** The default is the one in the middle. */
const read = (spec: Readonly<Record<string, unknown>> = {}) =>
  pipelineFixture([{ name: "read", ladder: { middle: [6, 0.93], heavy: [20, 0.97], light: [1, 0.85] } }], spec);

const [pod] = new Story(read()).views("read");

function given(...missing: readonly (readonly string[])[]): TickInput {
  const switchers = missing.map((missingVariants, i): SwitcherView => ({ ...pod!, pod: `read-${i}`, missingVariants }));
  return { pipeline: read(), switchers } as Partial<TickInput> as TickInput;
}

const missedIn = (input: TickInput) => groupByStage(missingVariants([], input, 0));

describe("missingVariants()", () => {
  it("has what any pod of the stage has no model file of", () => {
    assert.deepEqual(missedIn(given([], ["heavy"], ["light", "heavy"])), { read: ["heavy", "light"] });
    assert.deepEqual(missedIn(given([], [])), {});
  });

  it("passes over a pod that has none of the default variant", () => {
    assert.deepEqual(missedIn(given(["middle", "heavy", "light"])), {});
    assert.deepEqual(missedIn(given(["middle", "heavy", "light"], ["light"])), { read: ["light"] });
  });

  it("passes over variants that were not measured, and that there are not", () => {
    const input = given(["heavy", "ghost"]);
    const [stage] = input.pipeline.stages;
    const variants = stage?.variants.map(one => (one.name === "heavy" ? { ...one, profile: null } : one)) ?? [];
    const pipeline = { ...input.pipeline, stages: [{ ...stage!, variants }] };
    assert.deepEqual(missedIn({ ...input, pipeline }), {});
  });

  const missed = missingVariants([], given([], ["heavy"]), 1000);
  const without = (input: TickInput, nowMs: number) => groupByStage(missingVariants(missed, input, nowMs));
  const heavy = { read: ["heavy"] };

  it("keeps what a pod that has gone missed until none has missed it for a minute", () => {
    assert.deepEqual(without(given([]), 60_999), heavy);
    assert.deepEqual(without(given([]), 61_000), {});
    const again = missingVariants(missed, given([], ["heavy"]), 50_000);
    assert.deepEqual(groupByStage(missingVariants(again, given([]), 109_999)), heavy);
  });

  it("keeps what was missed as long as no pod has it", () => {
    assert.deepEqual(without(given(), 1e9), heavy);
    assert.deepEqual(without(given(["middle", "heavy"]), 1e9), heavy);
    assert.deepEqual(without(given([]), 1e9), {});
  });

  it("has at once what a pod itself no longer misses, where all others have it", () => {
    assert.deepEqual(without(given([], []), 1001), {});
    assert.deepEqual(without(given(["heavy"], []), 1e9), heavy);
    assert.deepEqual(without(given(["middle", "heavy"], []), 1001), heavy);
  });

  it("keeps nothing of a default variant, and nothing that is not in the pipeline any more", () => {
    const { pipeline, ...input } = given();
    const [stage] = pipeline.stages;
    const edited = { ...pipeline, stages: [{ ...stage!, defaultVariant: "heavy" }] };
    assert.deepEqual(without({ ...input, pipeline: edited }, 1001), {});
    const variants = stage?.variants.filter(({ name }) => name !== "heavy") ?? [];
    assert.deepEqual(without({ ...input, pipeline: { ...pipeline, stages: [{ ...stage!, variants }] } }, 1001), {});
  });
});

describe("excludedVariants()", () => {
  it("has what is in quarantine beside what is not installed, each once", () => {
    const entry = {
      stage: "read",
      untilMs: 10,
      failures: 1,
      code: "model_invalid",
      message: "",
      countedEpoch: 1,
      countedCounter: 1,
    };
    const quarantines = ["heavy", "light"].map(variant => ({ ...entry, variant }));
    const missing = missingVariants([], given(["light"]), 9);
    assert.deepEqual(excludedVariants({ quarantines, missing }, twoStages(), 9), { read: ["heavy", "light"] });
    assert.deepEqual(excludedVariants({ quarantines, missing }, twoStages(), 10), { read: ["light"] });
  });
});

describe("findLeftOut()", () => {
  it("has the variants that don't fit into memory beside the default one, as plans leave them out", () => {
    const pipeline = read();
    const stages = pipeline.stages.map(stage => ({
      ...stage,
      memoryMiB: 256,
      variants: stage.variants.map(one => ({ ...one, profile: one.profile && { ...one.profile, memoryMiB: 110 } })),
    }));
    const [heavy, light] = findLeftOut({ quarantines: [], missing: [] }, { ...pipeline, stages }, 0);
    assert.deepEqual([heavy?.variant, heavy?.code, light?.variant], ["heavy", "memory_short", "light"]);
    const excluded = excludedVariants({ quarantines: [], missing: [] }, { ...pipeline, stages }, 0);
    assert.deepEqual(excluded, { read: ["heavy", "light"] });
  });
});

describe("tick(): variants that are not installed", () => {
  const told = (story: Story) => [...story.stage("read").assignments.values()][0];

  it("are planned without from the first report on, without a refusal, and with once they are there", () => {
    const story = new Story(read(), { missing: { read: ["heavy"] } });
    story.run(30, 2, ({ board }) => {
      const [stage] = board.stages;
      for (const assignment of [...(stage?.assignments.values() ?? []), stage?.newcomer])
        assert.ok(assignment?.rungs.every(({ variant }) => variant !== "heavy"));
    });
    assert.equal(story.goal("read"), "middle");
    assert.deepEqual(story.state.quarantines, []);
    assert.ok(story.board.reasons.includes("not_installed") && !story.board.reasons.includes("quarantined"));
    story.missing = {};
    story.run(20, 2);
    assert.deepEqual([story.goal("read"), story.served("read")], ["heavy", ["heavy"]]);
    assert.ok(!story.board.reasons.includes("not_installed"));
  });

  it("are planned without, by the same plan, while a stage has no pods and after a restart of the scaler", () => {
    const story = new Story(read(), { missing: { read: ["heavy"] } }).run(3, 2);
    const { decisionId } = story.board;
    story.kill("read");
    story.run(1, 2);
    assert.deepEqual([story.goal("read"), story.board.decisionId], ["middle", decisionId]);
    assert.notEqual(story.stage("read").newcomer?.top, "heavy");
    const { pods } = story.state.missing[0] ?? {};
    story.jump(600_000);
    story.input = { switchers: [] };
    story.run(30, 2);
    assert.equal(story.goal("read"), "middle");
    assert.deepEqual(story.state.missing[0]?.pods, pods);
  });

  it("are left when they go, and are in no quarantine", () => {
    const story = new Story(read()).run(20, 2);
    assert.equal(story.goal("read"), "heavy");
    story.missing = { read: ["heavy"] };
    story.run(1, 2);
    assert.equal(story.goal("read"), "middle");
    assert.deepEqual(story.state.quarantines, []);
  });

  it("are no rungs", () => {
    const story = new Story(read()).run(10, 2);
    assert.deepEqual(
      told(story)?.rungs.map(({ variant }) => variant),
      ["heavy", "middle", "light"],
    );
    story.missing = { read: ["light"] };
    story.run(1, 2);
    assert.deepEqual(
      told(story)?.rungs.map(({ variant }) => variant),
      ["heavy", "middle"],
    );
    assert.equal(told(story)?.floor, "middle");
  });

  it("leave a stage as it was where all of its variants are, or its default one: what is assigned is refused", () => {
    for (const missing of [["heavy", "middle", "light"], ["heavy"]]) {
      const story = new Story(twoStages(), { missing: { read: missing } }).run(1, 2);
      assert.equal(told(story)?.top, "heavy");
      assert.ok(!story.board.reasons.includes("not_installed"));
      story.run(5, 2);
      assert.ok(story.board.reasons.includes("quarantined"));
      assert.equal(story.board.plan?.stages.length, 2);
    }
  });

  it("are excepted by name in what a decision was made with, beside those in quarantine", () => {
    const story = new Story(read());
    story.broken.add("read/heavy");
    story.run(10, 2);
    story.missing = { read: ["light"] };
    const { given: made } = story.run(1, 2).board;
    assert.deepEqual(made?.excluded, { read: ["heavy", "light"] });
    assert.deepEqual(made?.notInstalled, { read: ["light"] });
  });
});
