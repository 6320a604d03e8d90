import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { receivedOf } from "../../profiler/received-inputs.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

const PIPELINE = pipelineFixture([
  { name: "find", ladder: { heavy: [2, 0.9], light: [1, 0.8] } },
  { name: "read", ladder: { heavy: [2, 0.9] } },
  { name: "name", ladder: { heavy: [2, 0.9], light: [1, 0.8] } },
]);
const COMBINATIONS = [
  ["heavy", "heavy", "heavy"],
  ["heavy", "heavy", "light"],
  ["light", "heavy", "heavy"],
  ["light", "heavy", "light"],
];

/** A letter for each stage, `r` for right and `w` for wrong, then one for the answer: by combination. */
const item = (...combinations: readonly string[]) => ({
  combinations: combinations.map(letters => ({
    stagesRight: [...letters.slice(0, -1)].map(letter => letter === "r"),
    correct: letters.endsWith("r"),
  })),
});

describe("receivedOf()", () => {
  const received = receivedOf(PIPELINE, COMBINATIONS, [
    item("rrrr", "rrww", "wwww", "wwrw"),
    item("wrrr", "wrww", "wrrr", "wrrr"),
    item("rwww", "rwrr", "rwrr", "rwww"),
  ]);
  const of = (...variants: readonly string[]) =>
    received.filter(counts => Object.values(counts.variants).join() === variants.join());

  it("has every choice of variants up to each stage once", () => {
    assert.deepEqual(
      received.map(({ stage, variants }) => `${stage}: ${Object.values(variants).join()}`),
      [
        ...["find: heavy", "find: light", "read: heavy,heavy", "read: light,heavy"],
        ...COMBINATIONS.map(combination => `name: ${combination.join()}`),
      ],
    );
  });

  it("counts items by whether the stage and the one before were right", () => {
    assert.deepEqual(of("heavy"), [{ stage: "find", variants: { find: "heavy" }, items: 3, right: 2 }]);
    const variants = { find: "heavy", read: "heavy" };
    const before = { bothRight: 1, rightAfterWrong: 1, wrongAfterRight: 1, bothWrong: 0 };
    assert.deepEqual(of("heavy", "heavy"), [{ stage: "read", variants, items: 3, right: 2, before }]);
  });

  it("counts right answers after the last stage, also those that are right though the stage before was wrong", () => {
    const [first] = of("heavy", "heavy", "light");
    assert.deepEqual(first?.before, { bothRight: 0, rightAfterWrong: 1, wrongAfterRight: 2, bothWrong: 0 });
    assert.deepEqual(first?.answers, { allStagesRight: 0, rightAfterRight: 0, rightAfterWrong: 1 });
    const [last] = of("light", "heavy", "heavy");
    assert.deepEqual(last?.answers, { allStagesRight: 0, rightAfterRight: 1, rightAfterWrong: 1 });
  });

  it("has no stage before the only one of a pipeline, and its answers all the same", () => {
    const alone = pipelineFixture([{ name: "find", ladder: { heavy: [2, 0.9] } }]);
    assert.deepEqual(receivedOf(alone, [["heavy"]], [item("rr"), item("wr"), item("ww")]), [
      {
        ...{ stage: "find", variants: { find: "heavy" }, items: 3, right: 1 },
        answers: { allStagesRight: 1, rightAfterRight: 2, rightAfterWrong: 0 },
      },
    ]);
  });
});
