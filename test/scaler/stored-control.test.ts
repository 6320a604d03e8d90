import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { initialActuation } from "../../control/actuation.ts";
import { conditionsOf } from "../../control/conditions.ts";
import { initialState } from "../../control/control-state.ts";
import type { TickInput } from "../../control/tick-input.ts";
import { storedControlSchema } from "../../scaler/stored-control.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

describe("storedControlSchema", () => {
  it("takes the conditions of a pipeline all of whose stages are stuck, each for a long reason", () => {
    const names = Array.from({ length: 32 }, (_, i) => `stage-${i}`);
    const pipeline = pipelineFixture(names.map(name => ({ name, ladder: { light: [8, 0.9] } })));
    const stuck = { ...initialActuation(2), stuckAt: 1, stuckUntilMs: 60_000, stuckTimes: 1 };
    const state = { ...initialState(1), actuations: Object.fromEntries(names.map(name => [name, stuck])) };
    const unready = Object.fromEntries(names.map(name => [name, "x".repeat(600)]));
    const input: Partial<TickInput> = { pipeline, forecast: null, scaling: {}, unready };
    const conditions = conditionsOf(
      state,
      input as TickInput,
      { estimated: null, left: [], served: null, fanOuts: {} },
      1000,
    );
    const { message = "" } = conditions.find(({ type }) => type === "ActuationStuck") ?? {};
    assert.match(message, /^replicas of stage-0, stage-1, .*; stage-0: x{600}; stage-1: x{600}; /);
    assert.equal(message.length, 4000);
    assert.deepEqual(storedControlSchema.parse({ ...state, conditions }).conditions, conditions);
  });

  it("takes a state of a version that counted no failed trials and kept neither models nor what is missing", () => {
    const { trialFailures: _failures, models: _models, missing: _missing, ...older } = initialState(1);
    assert.deepEqual(storedControlSchema.parse(older), initialState(1));
  });

  it("takes a state of a version that gave assignments of one variant and had a guard, without those", () => {
    const told = { version: { epoch: 1, counter: 2 }, variant: "a", batch: 1, maxWaitMs: 0, fallbackVariant: "b" };
    const older = { ...initialState(1), counter: 2, assignments: { "read/pod": told }, guard: null };
    assert.deepEqual(storedControlSchema.parse(older), { ...initialState(1), counter: 2 });
  });

  it("takes a state of a version that corrected by what the scaler worked out, and planned for the demand", () => {
    const state = initialState(1);
    const {
      timedBatches: _batches,
      attainmentFactor: _factor,
      asPlannedSinceMs: _since,
      demandRps: _rps,
      expectedRps: _expected,
      ...older
    } = state;
    const seen = { "detect/pod": [10, 600, 500] };
    assert.deepEqual(storedControlSchema.parse({ ...older, serviceSeen: seen }), state);
  });

  it("keeps the quantiles of demands", () => {
    const demand = { atMs: 5, rateRps: 9, nowRps: 3, ratesRps: [1, 1, 2, 2, 3, 3, 4, 4], peaksRps: [4, 5, 6, 7] };
    const state = { ...initialState(1), demands: [demand], attainmentFactor: 1.2 };
    assert.deepEqual(storedControlSchema.parse(JSON.parse(JSON.stringify(state))), state);
  });

  it("takes a state of a version that learnt no fan-outs", () => {
    const {
      rowEvidence: _evidence,
      rowFactors: _factors,
      rowsSeen: _seen,
      variantRows: _variants,
      rowsLoadAtMs: _at,
      ...older
    } = initialState(1);
    assert.deepEqual(storedControlSchema.parse(older), initialState(1));
  });

  it("cuts a message of a condition that is too long, for the next tick finds it anew", () => {
    const long = { type: "Ready", status: true, reason: "Planned", message: "x".repeat(20_000), sinceMs: 0 };
    const { conditions } = storedControlSchema.parse({ ...initialState(1), conditions: [long] });
    assert.deepEqual(conditions, [{ ...long, message: "x".repeat(10_000) }]);
  });
});
