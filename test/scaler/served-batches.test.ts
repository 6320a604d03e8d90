import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { SwitcherView } from "../../control/switcher-view.ts";
import { RecentBatches } from "../../scaler/served-batches.ts";

function view(pod: string, times: Readonly<Record<number, number>>, variant = "heavy"): SwitcherView {
  const serviceTimes = Object.entries(times).map(([rows, batches]) => ({
    variant,
    rows: Number(rows),
    batches,
    totalMs: 1,
  }));
  return {
    stage: "detect",
    pod,
    ready: true,
    applied: { epoch: 1, counter: 1 },
    variant: "heavy",
    batch: 8,
    residentVariants: [],
    missingVariants: [],
    pin: null,
    queuedRows: 0,
    queueAgeMs: 0,
    serviceTimes,
    nack: null,
  };
}

describe("RecentBatches", () => {
  it("is the mean of what was served between two looks, over all pods of a stage", () => {
    const recent = new RecentBatches();
    recent.look([view("a", { 1: 100, 8: 5 }), view("b", { 2: 7 })]);
    assert.equal(recent.find("detect"), null);
    recent.look([view("a", { 1: 101, 8: 6 }), view("b", { 2: 9 })]);
    assert.equal(recent.find("detect")?.rows, (1 + 8 + 2 * 2) / 4);
    assert.equal(recent.find("read"), null);
    recent.look([view("a", { 1: 101, 8: 6 }), view("b", { 2: 9 })]);
    assert.equal(recent.find("detect"), null);
  });

  it("counts a pod that is new, gone or started again from the next look on", () => {
    const recent = new RecentBatches();
    recent.look([view("a", { 4: 10 }), view("b", { 1: 50 })]);
    recent.look([view("a", { 4: 12 }), view("b", { 1: 3 }), view("c", { 8: 1000 })]);
    assert.equal(recent.find("detect")?.rows, 4);
    recent.look([view("b", { 1: 4 })]);
    assert.equal(recent.find("detect")?.rows, 1);
  });

  it("says which share of the rows each variant served", () => {
    const both = (heavy: number, light: number): SwitcherView => {
      const own = view("a", { 2: heavy });
      return { ...own, serviceTimes: [...own.serviceTimes, ...view("a", { 4: light }, "light").serviceTimes] };
    };
    const recent = new RecentBatches();
    recent.look([both(10, 10), view("b", { 1: 1 }, "light")]);
    recent.look([both(12, 12), view("b", { 1: 5 }, "light")]);
    assert.deepEqual(recent.find("detect")?.shares, [
      { variant: "light", share: 0.75 },
      { variant: "heavy", share: 0.25 },
    ]);
    recent.look([both(13, 12), view("b", { 1: 5 }, "light")]);
    assert.deepEqual(recent.find("detect")?.shares, [{ variant: "heavy", share: 1 }]);
  });
});
