import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { isAlive, isKedaAnswered } from "../../scaler/health.ts";

describe("the health of a scaler", () => {
  it("is bad where its loop or the thread that answers KEDA hangs", () => {
    assert.equal(isAlive({ loopAgeMs: 30_000, kedaAgeMs: 30_000 }, 30_000), true);
    assert.equal(isAlive({ loopAgeMs: 30_001, kedaAgeMs: 0 }, 30_000), false);
    assert.equal(isAlive({ loopAgeMs: 0, kedaAgeMs: 30_001 }, 30_000), false);
  });

  it("sends KEDA elsewhere sooner where that thread hangs, and not for its loop", () => {
    assert.equal(isKedaAnswered({ loopAgeMs: 29_000, kedaAgeMs: 5000 }), true);
    assert.equal(isKedaAnswered({ loopAgeMs: 0, kedaAgeMs: 5001 }), false);
  });
});
