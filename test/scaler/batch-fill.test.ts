import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { SwitcherView } from "../../control/switcher-view.ts";
import { BatchFill } from "../../scaler/batch-fill.ts";

function view(pod: string, times: Readonly<Record<number, number>>, stage = "detect"): SwitcherView {
  const serviceTimes = Object.entries(times).map(([rows, batches]) => ({
    variant: "heavy",
    rows: Number(rows),
    batches,
    totalMs: 1,
  }));
  return {
    stage,
    pod,
    ready: true,
    applied: { epoch: 1, counter: 1 },
    variant: "heavy",
    batch: 8,
    residentVariants: [],
    missingVariants: [],
    protecting: false,
    pin: null,
    queuedRows: 0,
    queueAgeMs: 0,
    serviceTimes,
    nack: null,
  };
}

describe("BatchFill", () => {
  it("is the mean of what was served between two looks, over all pods of a stage", () => {
    const fill = new BatchFill();
    fill.look([view("a", { 1: 100, 8: 5 }), view("b", { 2: 7 })]);
    assert.equal(fill.of("detect"), null);
    fill.look([view("a", { 1: 101, 8: 6 }), view("b", { 2: 9 })]);
    assert.equal(fill.of("detect"), (1 + 8 + 2 * 2) / 4);
    assert.equal(fill.of("read"), null);
    fill.look([view("a", { 1: 101, 8: 6 }), view("b", { 2: 9 })]);
    assert.equal(fill.of("detect"), null);
  });

  it("counts a pod that is new, gone or started again from the next look on", () => {
    const fill = new BatchFill();
    fill.look([view("a", { 4: 10 }), view("b", { 1: 50 })]);
    fill.look([view("a", { 4: 12 }), view("b", { 1: 3 }), view("c", { 8: 1000 })]);
    assert.equal(fill.of("detect"), 4);
    fill.look([view("b", { 1: 4 })]);
    assert.equal(fill.of("detect"), 1);
  });
});
