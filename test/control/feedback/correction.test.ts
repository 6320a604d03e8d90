import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import { type ControlState, initialState } from "../../../control/control-state.ts";
import { correct } from "../../../control/feedback/correction.ts";
import type { SwitcherView } from "../../../control/switcher-view.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";
import { Story } from "../story.ts";

const pipeline = twoStages();
const [telling] = new Story(pipeline).run(10, 2).views("detect");
assert.ok(telling);
const { timeFactor: _factor, timedBatches: _batches, ...ready } = telling;

/** A pod that takes so many times what was measured, by so many batches since it started. */
function view(timedBatches: number, timeFactor: number, change: Partial<SwitcherView> = {}): SwitcherView {
  return { ...ready, timedBatches, timeFactor, ...change };
}

function next(state: ControlState, ...views: SwitcherView[]): ControlState {
  return { ...state, ...correct(state, pipeline, views) };
}

const start = next(initialState(1), view(100, 1));
const factor = (state: ControlState) => state.corrections["detect"];

function isNear(state: ControlState, expected: number): void {
  assert.ok(Math.abs((factor(state) ?? 0) - expected) < 1e-9, `${factor(state)} for ${expected}`);
}

describe("correct()", () => {
  it("learns nothing from what was served before it looked, nor from a pod that has run nothing, was restarted or does not say", () => {
    assert.equal(factor(start), undefined);
    assert.equal(factor(next(start, view(100, 1.5))), undefined);
    assert.equal(factor(next(start, view(5, 1.5))), undefined);
    assert.equal(factor(next(next(initialState(1), ready), ready)), undefined);
  });

  it("goes a fifth of the way in a tick, and less where few batches tell", () => {
    isNear(next(start, view(105, 1.5)), 1.1);
    isNear(next(start, view(200, 1.5)), 1.1);
    isNear(next(start, view(101, 1.5)), 1.02);
    isNear(next(next(start, view(105, 1.5)), view(110, 1.5)), 1.1 + 0.2 * 0.4);
  });

  it("is nine tenths of the way to a slower machine after ten seconds", () => {
    let state = start;
    for (let second = 1; second <= 10; second += 1) state = next(state, view(100 + 10 * second, 1.5));
    assert.ok((factor(state) ?? 0) > 1.44, String(factor(state)));
  });

  it("weighs the pods of a stage by their batches, none by more than most others have, nor by more than fifteen", () => {
    const both = next(initialState(1), view(0, 1), view(0, 1, { pod: "other" }));
    isNear(next(both, view(5, 1), view(5, 2, { pod: "other" })), 1 + 0.2 * 0.5);
    isNear(next(both, view(5, 1), view(1000, 2, { pod: "other" })), 1 + 0.2 * 0.5);
    isNear(next(both, view(5, 1), view(1, 2, { pod: "other" })), 1 + 0.2 * 0.5 * (2 / 5));
    isNear(next(both, view(100, 1), view(100, 2, { pod: "other" })), 1 + 0.2 * 0.5);
    assert.deepEqual(both.timedBatches, { "detect/detect-001": 0, "detect/other": 0 });
  });

  it("forgets what it learnt where no pod of the stage says anything", () => {
    const learnt = next(start, view(105, 1.5));
    isNear(next(learnt, ready), 1.1 - 0.2 * 0.1);
    isNear(next(learnt), 1.1);
    isNear(next(learnt, view(105, 1.5)), 1.1);
  });

  it("stays within 0.5 and 4, whatever pods say", () => {
    const factors = fc.array(fc.tuple(fc.nat(50), fc.double({ min: 0, noNaN: true })), { maxLength: 50 });
    fc.assert(
      fc.property(factors, told => {
        let [state, all] = [start, 100];
        for (const [batches, said] of told) {
          all += batches;
          state = next(state, view(all, said));
          const known = factor(state) ?? 1;
          assert.ok(known >= 0.5 && known <= 4, String(known));
        }
      }),
    );
  });

  it("learns nothing of stages that the pipeline does not have", () => {
    const ghost = (batches: number) => view(batches, 2, { stage: "ghost" });
    assert.deepEqual(next(next(initialState(1), ghost(0)), ghost(50)).corrections, {});
  });
});
