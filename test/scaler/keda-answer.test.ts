import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "mocha";
import type { PipelineBoard } from "../../control/board.ts";
import type { Stage } from "../../domain/pipeline.ts";
import type { Plan } from "../../domain/plan.ts";
import { isActive, isAtZero, metricNameOf, metricsOf } from "../../scaler/keda-answer.ts";
import { testPipeline } from "./support/test-pipeline.ts";

const pipeline = testPipeline();
const detect = pipeline.stages[0] as Stage;

function board(replicasNow: number, more: Partial<PipelineBoard["stages"][number]> = {}): PipelineBoard {
  const stage = {
    stage: "detect",
    replicasNow,
    metricValue: replicasNow,
    replicasGoal: 1,
    replicasReady: 1,
    active: true,
  };
  return {
    key: pipeline.key,
    mode: "active",
    atMs: 0,
    decisionId: "d-1-1",
    planAtMs: 0,
    plan: {} as Plan,
    stages: [{ ...stage, assignments: new Map(), newcomer: null, ...more }],
    forecast: null,
    load: null,
    reasons: [],
    conditions: [],
    corrections: {},
    attainmentFactor: 1,
    fanOuts: {},
    estimated: null,
    served: null,
    trial: null,
    trials: 0,
    given: null,
  };
}

describe("metricsOf()", () => {
  const value = (replicas: number) => metricsOf(pipeline, detect, board(replicas), 0, 30_000).metricValues?.[0];

  it("T11: fills both fields, with zero as well", () => {
    for (const replicas of [0, 1, 17]) {
      assert.equal(value(replicas)?.metricValue, replicas);
      assert.equal(value(replicas)?.metricValueFloat, replicas);
    }
  });

  it("T9: lets out nothing that is not finite or below zero, which KEDA would take for 0", () => {
    const others = fc.oneof(fc.constantFrom(Number.NaN, Infinity, -Infinity), fc.double({ max: -1e-9, noNaN: true }));
    fc.assert(
      fc.property(others, replicas => {
        assert.throws(() => value(replicas), { code: "unavailable", message: /is no replica count/ });
      }),
    );
  });

  it("lets out nothing that is too old, or of a time that is still to come since the clock was set back", () => {
    const at = (nowMs: number) => metricsOf(pipeline, detect, board(3), nowMs, 30_000);
    for (const nowMs of [30_000, -30_000]) assert.equal(at(nowMs).metricValues?.length, 1);
    for (const nowMs of [30_001, -30_001, -3_600_000])
      assert.throws(() => at(nowMs), { code: "unavailable", message: /more than the 30 s allowed/ });
  });

  it("T10: lets out no fraction, which the HPA would round up", () => {
    const fractions = fc.double({ min: 0, max: 1e6, noNaN: true }).filter(number => !Number.isInteger(number));
    fc.assert(
      fc.property(fractions, replicas => {
        assert.throws(() => value(replicas), { code: "unavailable", message: /is no replica count/ });
      }),
    );
  });

  it("is unavailable without a plan, without the stage and beyond the bound", () => {
    const unavailable = { code: "unavailable" };
    assert.throws(() => metricsOf(pipeline, detect, null, 0, 30_000), unavailable);
    assert.throws(() => metricsOf(pipeline, detect, { ...board(1), plan: null }, 0, 30_000), unavailable);
    assert.throws(() => metricsOf(pipeline, detect, { ...board(1), stages: [] }, 0, 30_000), unavailable);
    assert.throws(() => metricsOf(pipeline, detect, board(1), 30_001, 30_000), unavailable);
    metricsOf(pipeline, detect, board(1), 30_000, 30_000);
  });
});

describe("isActive()", () => {
  it("is what the same board says, and true without a plan", () => {
    assert.equal(isActive(detect, board(0, { active: false })), false);
    assert.equal(isActive(detect, board(1)), true);
    assert.equal(isActive(detect, { ...board(0, { active: false }), plan: null }), true);
    assert.equal(isActive(detect, null), true);
  });
});

describe("isAtZero()", () => {
  it("is of a stage without ready replicas that may go to zero", () => {
    const night = testPipeline({ minReplicas: 0 }).stages[0] as Stage;
    assert.equal(isAtZero(night, board(3, { replicasReady: 0 })), true);
    assert.equal(isAtZero(night, board(3)), false);
    assert.equal(isAtZero(night, null), false);
    assert.equal(isAtZero(detect, board(3, { replicasReady: 0 })), false);
  });
});

describe("metricNameOf()", () => {
  it("T12: has letters, digits and dashes alone", () => {
    const dotted = testPipeline({ name: "a.b-1", stages: ["c.d"] });
    assert.equal(metricNameOf(dotted, dotted.stages[0] as Stage), "variscale-a-b-1-c-d");
  });
});
