import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { initialActuation } from "../../control/actuation.ts";
import { withoutClockJump } from "../../control/clock-jump.ts";
import { initialState } from "../../control/control-state.ts";

describe("withoutClockJump()", () => {
  const state = {
    ...initialState(1),
    atMs: 100_000,
    planAtMs: 95_000,
    lastArrivalMs: 99_000,
    demands: [{ atMs: 98_000, rateRps: 1 }],
    recommendations: [{ atMs: 96_000, replicas: { detect: 3 } }],
    actuations: {
      detect: {
        ...initialActuation(1),
        waitingSinceMs: 90_000,
        growth: [{ atMs: 91_000, from: 1, replicas: 2 }],
        stuckUntilMs: 150_000,
      },
    },
    missing: [{ stage: "detect", variant: "light", atMs: 92_000, pods: ["detect-0"] }],
  };

  it("leaves the first state, and one that was a moment ago, as they are", () => {
    const first = { ...state, atMs: null };
    assert.equal(withoutClockJump(first, 5), first);
    assert.equal(withoutClockJump(state, 100_000), state);
    assert.equal(withoutClockJump(state, 110_000), state);
  });

  it("moves every time with a clock that was set back", () => {
    const moved = withoutClockJump(state, 40_000);
    assert.deepEqual([moved.planAtMs, moved.lastArrivalMs], [35_000, 39_000]);
    assert.deepEqual(moved.demands, [{ atMs: 38_000, rateRps: 1 }]);
    assert.deepEqual(moved.recommendations, [{ atMs: 36_000, replicas: { detect: 3 } }]);
    assert.deepEqual(moved.missing, [{ stage: "detect", variant: "light", atMs: 32_000, pods: ["detect-0"] }]);
    const { waitingSinceMs, growth, stuckUntilMs } = moved.actuations["detect"]!;
    assert.deepEqual([waitingSinceMs, growth[0]?.atMs, stuckUntilMs], [30_000, 31_000, 90_000]);
    assert.equal(withoutClockJump({ ...state, planAtMs: null }, 40_000).planAtMs, null);
  });

  it("counts no pause as waiting", () => {
    const after = withoutClockJump(state, 160_000);
    const { waitingSinceMs, growth, stuckUntilMs } = after.actuations["detect"]!;
    assert.deepEqual([waitingSinceMs, growth[0]?.atMs, stuckUntilMs], [150_000, 151_000, 150_000]);
    assert.equal(after.planAtMs, 95_000);
    assert.equal(after.missing[0]?.atMs, 152_000);
    const idle = { ...state, actuations: { detect: initialActuation(1) } };
    assert.equal(withoutClockJump(idle, 160_000).actuations["detect"]?.waitingSinceMs, null);
  });
});
