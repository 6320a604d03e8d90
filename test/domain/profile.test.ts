import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { serviceMs, throughputRps } from "../../domain/profile.ts";

const profile = {
  cores: 1,
  loadMs: 0,
  points: [
    { batch: 1, latencyMs: 10, scv: 0 },
    { batch: 4, latencyMs: 16, scv: 0 },
  ],
};

describe("serviceMs()", () => {
  it("is what was measured at a measured batch size", () => {
    assert.equal(serviceMs(profile, 1), 10);
    assert.equal(serviceMs(profile, 4), 16);
  });

  it("is linear in between, flat below and proportional beyond", () => {
    assert.equal(serviceMs(profile, 2), 12);
    assert.equal(serviceMs(profile, 8), 32);
    assert.equal(serviceMs({ ...profile, points: profile.points.slice(1) }, 1), 16);
  });
});

describe("throughputRps()", () => {
  it("counts the rows of full batches", () => {
    assert.equal(throughputRps(profile, 1), 100);
    assert.equal(throughputRps(profile, 4), 250);
  });
});
