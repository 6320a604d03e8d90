import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { gainOfWaiting, profilesToWaitFor, serveBatched } from "../../bench/batch-wait.ts";

const flat = {
  points: [
    { batch: 1, latencyMs: 10 },
    { batch: 4, latencyMs: 10 },
  ],
};

describe("serveBatched()", () => {
  it("takes what waits when the session is idle", () => {
    assert.deepEqual(serveBatched([0, 1, 2, 30], flat, 4, 0), { latenciesMs: [10, 19, 18, 10], endMs: 40 });
    assert.deepEqual(serveBatched([0, 1, 2, 3], flat, 2, 0), { latenciesMs: [10, 19, 18, 27], endMs: 30 });
  });

  it("waits with an incomplete batch, no longer than it may, and sees where that gains", () => {
    assert.deepEqual(serveBatched([0, 1, 30, 31], flat, 4, 1), { latenciesMs: [11, 10, 11, 10], endMs: 41 });
    assert.deepEqual(serveBatched([0, 1], flat, 2, 100), { latenciesMs: [11, 10], endMs: 11 });
  });
});

describe("gainOfWaiting()", () => {
  it("is next to nothing for every profile, so that no Assignment has to wait", () => {
    const profiles = profilesToWaitFor();
    assert.ok(profiles.size > 10);
    for (const [name, profile] of profiles) {
      const { latency, throughput } = gainOfWaiting(profile);
      assert.ok(latency < 2 && throughput < 1, `${name}: ${latency} % of latency, ${throughput} % of throughput`);
    }
  });
});
