import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { TickInput } from "../../../control/tick-input.ts";
import { UNTUNED } from "../../../control/tuning.ts";
import type { Assignment } from "../../../domain/assignment.ts";
import type { PolicyName } from "../../../domain/policy-name.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";
import { Story } from "../story.ts";

const findTold = (story: Story, stage: string): Assignment => {
  const [first] = story.stage(stage).assignments.values();
  assert.ok(first);
  return first;
};

const names = (story: Story): string[] => findTold(story, "detect").rungs.map(({ variant }) => variant);

describe("assignments", () => {
  /** The versions of both stages after the stage `read` was seen to take so many times what was measured. */
  const versionsAt = (story: Story, correction: number): readonly number[] => {
    story.state = { ...story.state, corrections: { read: correction } };
    // The plan of before holds, so that only what replicas are told of time moves.
    story.run(1, 5);
    return ["detect", "read"].map(stage => findTold(story, stage).version.counter);
  };

  it("keep their version while budgets move by less than 5 %, and get a new one where they moved by more in all", () => {
    const story = new Story(twoStages()).run(32, 5);
    const decision = story.board.decisionId;
    const [detect = 0, read] = versionsAt(story, 1);
    const leastMs = findTold(story, "detect").laterLeastMs;
    assert.deepEqual(versionsAt(story, 1.03), [detect, read]);
    assert.equal(findTold(story, "detect").laterLeastMs, leastMs);
    const [after = 0, unmoved] = versionsAt(story, 1.06);
    assert.ok(after > detect);
    assert.equal(unmoved, read, "nothing comes after it");
    assert.ok(Math.abs(findTold(story, "detect").laterLeastMs - 1.06 * leastMs) < 1e-9);
    assert.equal(story.board.decisionId, decision);
  });

  it("count a batch with the rows of one request, of the lightest rung, as the least that a later stage takes", () => {
    const [detect, read] = twoStages().stages;
    assert.ok(detect && read);
    for (const rows of [0.2, 1, 2.5, 40]) {
      const fanOut = { default: rows, byUpstreamVariant: {} };
      const story: Story = new Story({ ...twoStages(), stages: [detect, { ...read, fanOut }] }).run(30, 5);
      const most: number = findTold(story, "read").rungs.at(-1)?.maxBatch ?? 0;
      // One row takes 1 ms with the lightest.
      assert.equal(
        findTold(story, "detect").laterLeastMs,
        Math.min(most, Math.max(1, Math.ceil(rows))),
        `${rows} rows`,
      );
    }
    const story = new Story(twoStages()).run(30, 5);
    assert.equal(findTold(story, "detect").laterLeastMs, 4);
    story.input = { pins: [{ stage: "read", variant: "heavy", batch: 2, replicas: null }] };
    story.run(15, 5);
    assert.equal(findTold(story, "detect").laterLeastMs, 40);
  });

  it("count the lightest rung that a later stage has in memory as the least that it takes", () => {
    const story = new Story(twoStages()).run(30, 5);
    const least = () => findTold(story, "detect").laterLeastMs;
    const all = least();
    story.report("read", { residentVariants: ["heavy", "middle"] });
    story.run(1, 5);
    assert.ok(least() > all, `${least()} ms, ${all} ms with the floor`);
    story.report("read", { residentVariants: ["heavy", "middle", "light"] });
    story.run(1, 5);
    assert.equal(least(), all);
    story.report("read", { residentVariants: [] });
    story.run(1, 5);
    assert.equal(least(), all, "the floor is loaded first");
  });

  const policies: readonly (readonly [PolicyName, string])[] = [
    ["default", "ladder"],
    ["static", "ladder"],
    ["reactive", "ladder"],
    ["ipa", "fixed"],
    ["infaas", "fixed"],
    ["modelSwitching", "fixed"],
    ["fa2High", "fixed"],
  ];
  for (const [policy, served] of policies)
    it(`are of a ${served} replica under policy \`${policy}\``, () => {
      const story = new Story(twoStages({ objective: { policy } })).run(30, 2);
      const all = names(story);
      assert.equal(all.length > 1, served === "ladder", all.join());
      assert.equal(findTold(story, "detect").top, story.goal("detect"));
      if (policy === "static") assert.equal(findTold(story, "detect").top, "heavy");
    });

  it("are of the planned variant alone under `rule: fixed`, whatever the policy", () => {
    for (const policy of ["default", "static", "reactive"])
      assert.equal(
        names(new Story(twoStages({ objective: { policy }, serving: { rule: "fixed" } })).run(30, 2)).length,
        1,
      );
  });

  it("have all rungs in shadow, and count a later stage's planned variant as the least that it takes", () => {
    const shadow = new Story(twoStages({ serving: { shadow: true } })).run(30, 5);
    const told = findTold(shadow, "read");
    assert.deepEqual([told.shadow, told.top, told.floor, told.rungs.length], [true, "heavy", "light", 3]);
    assert.equal(findTold(shadow, "detect").laterLeastMs, 20 * Math.min(4, told.rungs[0]?.maxBatch ?? 0));
    const fixed = new Story(twoStages({ serving: { shadow: true, rule: "fixed" } })).run(30, 5);
    assert.equal(findTold(fixed, "read").shadow, false, "there is nothing to count");
    const { counter } = told.version;
    shadow.input = { tuning: { ...UNTUNED, serving: { shadow: false } } };
    shadow.run(1, 5);
    assert.ok(findTold(shadow, "read").version.counter > counter);
    assert.equal(findTold(shadow, "read").shadow, false);
  });

  it("have no variant that is in quarantine", () => {
    const story = new Story(twoStages());
    story.broken.add("detect/heavy");
    const input: Partial<TickInput> = {};
    story.input = input;
    story.run(20, 2);
    assert.deepEqual(names(story), ["middle", "light"]);
  });
});
