import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { BatchCounter } from "../../../cli/demo/batch-counter.ts";

const pod = (stage: string, name: string, batches: number, rows: number) => ({
  stage,
  pod: name,
  servedBatches: { batches, rows },
});

describe("BatchCounter", () => {
  it("counts from the first look on, by stage", () => {
    const counter = new BatchCounter();
    assert.deepEqual(counter.observe([pod("a", "1", 5, 9), pod("b", "1", 2, 2)]), {});
    assert.deepEqual(counter.observe([pod("a", "1", 7, 15), pod("b", "1", 3, 3)]), {
      a: { batches: 2, rows: 6 },
      b: { batches: 1, rows: 1 },
    });
  });

  it("has all of a switcher that came later, and keeps those that have gone", () => {
    const counter = new BatchCounter();
    counter.observe([pod("a", "1", 5, 9)]);
    counter.observe([pod("a", "1", 6, 11), pod("a", "2", 3, 12)]);
    assert.deepEqual(counter.observe([pod("a", "2", 4, 16)]), { a: { batches: 5, rows: 18 } });
  });

  it("begins anew with a switcher that was started again", () => {
    const counter = new BatchCounter();
    counter.observe([pod("a", "1", 5, 9)]);
    assert.deepEqual(counter.observe([pod("a", "1", 2, 4)]), { a: { batches: 2, rows: 4 } });
  });
});
