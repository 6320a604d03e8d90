import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { Quarantine } from "../../control/control-state.ts";
import { findQuarantined, quarantine } from "../../control/excluded.ts";
import type { SwitcherView } from "../../control/switcher-view.ts";
import type { NackCode } from "../../domain/assignment.ts";
import { twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const [view] = new Story(twoStages()).views("read");

function refusal(counter: number, change: { variant?: string; code?: NackCode; epoch?: number } = {}): SwitcherView {
  const { variant = "heavy", code = "model_invalid", epoch = 1 } = change;
  return { ...view!, nack: { version: { epoch, counter }, variant, code, message: "broken" } };
}

const findNames = (known: readonly Quarantine[], nowMs: number) =>
  findQuarantined(known, nowMs).map(({ stage, variant }) => `${stage}/${variant}`);

describe("quarantine()", () => {
  it("leaves a refused variant out for 60 s, 120 s … and an hour at most", () => {
    let known = quarantine([], [refusal(1)], 0);
    assert.deepEqual(
      known.map(({ stage, variant, untilMs, failures, message }) => [stage, variant, untilMs, failures, message]),
      [["read", "heavy", 60_000, 1, "broken"]],
    );
    assert.deepEqual(findNames(known, 59_999), ["read/heavy"]);
    assert.deepEqual(findNames(known, 60_000), []);
    known = quarantine(known, [refusal(2)], 70_000);
    assert.equal(known[0]?.untilMs, 190_000);
    for (let i = 3; i < 20; i++) known = quarantine(known, [refusal(i)], 200_000);
    assert.equal(known[0]?.untilMs, 200_000 + 3_600_000);
  });

  it("counts one refusal once, and a later one of a newer leader", () => {
    const once = quarantine([], [refusal(5)], 0);
    assert.deepEqual(quarantine(once, [refusal(5), refusal(4)], 1000), once);
    assert.equal(quarantine(once, [refusal(1, { epoch: 2 })], 1000)[0]?.failures, 2);
  });

  it("does not blame the model for what is no fault of it", () => {
    for (const code of [
      "superseded",
      "pinned",
      "shutting_down",
      "stale_version",
      "internal",
      "unknown_variant",
    ] as const)
      assert.deepEqual(quarantine([], [refusal(1, { code })], 0), [], code);
    for (const code of [
      "model_missing",
      "sha256_mismatch",
      "contract_mismatch",
      "golden_mismatch",
      "memory_short",
    ] as const)
      assert.equal(quarantine([], [refusal(1, { code })], 0).length, 1, code);
  });

  it("forgets a refusal an hour after its time is over", () => {
    const known = quarantine([], [refusal(1)], 0);
    assert.equal(quarantine(known, [], 60_000 + 3_600_000 - 1).length, 1);
    assert.deepEqual(quarantine(known, [], 60_000 + 3_600_000), []);
  });

  it("keeps variants of a stage apart", () => {
    const known = quarantine([], [refusal(1), { ...refusal(2, { variant: "middle" }), pod: "other" }], 0);
    assert.deepEqual(findNames(known, 0), ["read/heavy", "read/middle"]);
  });
});
