import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type ControlState, initialState } from "../../control/control-state.ts";
import { correct } from "../../control/correction.ts";
import type { ServiceTimes, SwitcherView } from "../../control/switcher-view.ts";
import { twoStages } from "../support/pipeline-fixture.ts";
import { Story } from "./story.ts";

const pipeline = twoStages();
const [ready] = new Story(pipeline).run(10, 2).views("detect");

/** A pod that has served `batches` single rows of a variant in `totalMs`. */
function view(batches: number, totalMs: number, change: Partial<SwitcherView> = {}): SwitcherView {
  const serviceTimes: ServiceTimes[] = [{ variant: "heavy", rows: 1, batches, totalMs }];
  return { ...ready!, serviceTimes, ...change };
}

function next(state: ControlState, ...views: SwitcherView[]): ControlState {
  return { ...state, ...correct(state, pipeline, views) };
}

const start = next(initialState(1), view(100, 6000));
const factor = (state: ControlState) => state.corrections["detect"];

describe("correct()", () => {
  it("learns nothing from what was served before it looked", () => {
    assert.equal(factor(start), undefined);
  });

  it("weighs a tick by the service time in it, at most a tenth", () => {
    // 10 batches of 60 ms that took 90: 600 ms of 20 s.
    assert.equal(factor(next(start, view(110, 6900))), 1 + 0.03 * 0.5);
    // 100 batches count as 2 s, a tenth.
    assert.equal(factor(next(start, view(200, 15_000))), 1 + 0.1 * 0.5);
    const once = next(start, view(110, 6900));
    assert.equal(factor(next(once, view(120, 7800))), 1.015 + 0.03 * (1.5 - 1.015));
  });

  it("believes factors within 0.5 and 2", () => {
    assert.equal(factor(next(start, view(110, 60_000))), 1 + 0.03);
    assert.equal(factor(next(start, view(110, 6001))), 1 - 0.03 * 0.5);
    const edge = { ...start, corrections: { detect: 2 } };
    assert.equal(factor(next(edge, view(110, 60_000))), 2);
  });

  it("says less by the batches of lighter variants", () => {
    const light = (batches: number, totalMs: number) =>
      view(0, 0, { variant: "light", serviceTimes: [{ variant: "light", rows: 1, batches, totalMs }] });
    const before = next(initialState(1), light(0, 0));
    const learnt = factor(next(before, light(100, 1200))) ?? 0;
    assert.ok(Math.abs(learnt - (1 + ((800 * Math.sqrt(8 / 60)) / 20_000) * 0.5)) < 1e-12, String(learnt));
  });

  it("adds up what the pods of a stage measure", () => {
    const both = next(initialState(1), view(0, 0), view(0, 0, { pod: "other" }));
    const learnt = factor(next(both, view(10, 600), view(10, 900, { pod: "other" })));
    assert.ok(Math.abs((learnt ?? 0) - (1 + 0.06 * 0.25)) < 1e-12);
    assert.deepEqual(Object.keys(learnt === undefined ? {} : both.serviceSeen), ["detect/detect-001", "detect/other"]);
  });

  it("counts no more than 2 s of one pod", () => {
    const both = next(initialState(1), view(0, 0), view(0, 0, { pod: "other" }));
    const learnt = factor(next(both, view(100, 9000), view(10, 600, { pod: "other" })));
    assert.ok(Math.abs((learnt ?? 0) - (1 + 0.1 * (3600 / 2600 - 1))) < 1e-12, String(learnt));
  });

  it("learns nothing from a pod that was restarted, did nothing, is not ready or loads its top", () => {
    const wanted = {
      ...start,
      assignments: { [`detect/${ready!.pod}`]: { top: "light" } },
    } as never as ControlState;
    const obeyed = {
      ...start,
      assignments: { [`detect/${ready!.pod}`]: { top: "heavy" } },
    } as never as ControlState;
    const more = view(110, 6900);
    assert.equal(factor(next(start, view(5, 450))), undefined);
    assert.equal(factor(next(start, view(100, 6000))), undefined);
    assert.equal(factor(next(start, view(110, 6000))), undefined);
    assert.equal(factor(next(start, view(100, 6900))), undefined);
    assert.equal(factor(next(start, { ...more, ready: false })), undefined);
    assert.equal(factor(next(wanted, more)), undefined);
    assert.equal(factor(next(obeyed, more)), 1.015);
    // What it did in the meantime is not caught up with.
    const frozen = next(start, { ...more, ready: false });
    assert.equal(factor(next(frozen, more)), undefined);
  });

  it("learns nothing of what the pipeline does not have", () => {
    const ghost = (batches: number): SwitcherView =>
      view(0, 0, { serviceTimes: [{ variant: "ghost", rows: 1, batches, totalMs: batches * 99 }] });
    assert.equal(factor(next(next(initialState(1), ghost(0)), ghost(50))), undefined);
    assert.deepEqual(
      next(next(initialState(1), view(0, 0, { stage: "ghost" })), view(50, 1, { stage: "ghost" })).corrections,
      {},
    );
  });
});
