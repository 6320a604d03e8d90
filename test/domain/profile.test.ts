import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { profileAt, serviceMs, throughputRps } from "../../domain/profile.ts";

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

describe("profileAt()", () => {
  const two = { cores: 2, loadMs: 7, points: [{ batch: 1, latencyMs: 6, scv: 0 }] };
  const fit = { fixedMs: 8, rowMs: 2, largestResidual: 0, isotonicResidual: 0 };
  const measured = { ...profile, memoryMiB: 30, fit, switch: { coldMs: 50 }, otherCores: [two] };

  it("is what was measured on these cores, with what does not depend on them", () => {
    assert.deepEqual(profileAt(measured, 2), { ...two, memoryMiB: 30, switch: { coldMs: 50 } });
  });

  it("is the whole Profile at its own cores, and where it was not measured on others", () => {
    assert.equal(profileAt(measured, 1), measured);
    assert.equal(profileAt(measured, 3), measured);
    assert.equal(profileAt(profile, 2), profile);
  });
});
