import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { signalsOf } from "../../gateway/signals.ts";
import type { PipelineCode } from "../../gateway/stage.ts";
import { type Numbers, numberCode } from "./number-pipeline.ts";

const code = {
  ...numberCode,
  signals: ({ values }: Numbers) => ({ count: values.length, first: values[0] ?? Number.NaN }),
  assertions: { small: ({ values }: Numbers) => values.every(value => value < 100) },
} as PipelineCode;

describe("signalsOf()", () => {
  it("has the code's signals and its broken assertions", () => {
    assert.deepEqual(signalsOf(code, { numbers: [], values: [7, 200] }), { count: 2, first: 7, "broken.small": 1 });
    assert.deepEqual(signalsOf(code, { numbers: [], values: [] }), { count: 0, first: Number.NaN, "broken.small": 0 });
  });

  it("has none where the code has none, or throws", () => {
    assert.deepEqual(signalsOf(numberCode as PipelineCode, {}), {});
    assert.deepEqual(signalsOf(code, null), { "broken.small": 1 });
  });
});
