import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { initialState } from "../../control/control-state.ts";
import { PipelineControl } from "../../scaler/pipeline-control.ts";
import { parseStoredPipeline } from "../../scaler/stored-pipeline.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const NOW_MS = 1_700_000_000_000;

function open(control: unknown): PipelineControl {
  const stored = parseStoredPipeline({ epoch: 4, control, forecaster: { version: -1 }, settings: "nonsense" });
  assert.ok(stored);
  return new PipelineControl({ pipeline: testPipeline(), stored, epoch: 5, machineCores: null, nowMs: NOW_MS });
}

describe("PipelineControl", () => {
  it("starts anew from a stored state that no tick can go on from", () => {
    const control = open({ ...initialState(4), actuations: null, quarantines: "none" });
    const board = control.tick([], [], NOW_MS);
    assert.equal(board.plan, null);
    assert.equal(control.tick([{ atMs: NOW_MS, rateRps: 9 }], [], NOW_MS).load?.rateRps, 9);
  });

  it("goes on without a forecaster or settings that can't be read", () => {
    const control = open(initialState(4));
    assert.deepEqual(control.settings.pins(NOW_MS), []);
    assert.equal(control.tick([], [], NOW_MS).forecast, null);
  });

  it("leaves its state as it was when a tick throws", () => {
    const control = open(initialState(4));
    control.tick([{ atMs: NOW_MS, rateRps: 50 }], [], NOW_MS);
    const before = control.decisionId;
    assert.ok(before);
    assert.throws(() => control.tick([], null as never, NOW_MS + 1000));
    assert.equal(control.decisionId, before);
    assert.equal(control.tick([], [], NOW_MS + 2000).decisionId, before);
  });
});

describe("parseStoredPipeline()", () => {
  it("takes nothing of another version or shape", () => {
    for (const payload of [null, 1, {}, { epoch: 1, control: { schemaVersion: 2, epoch: 1, decisions: 0 } }])
      assert.equal(parseStoredPipeline(payload), null);
  });
});
