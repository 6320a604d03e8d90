import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { formatMeasurements } from "../../cli/format-measurements.ts";
import { measurementsSchema } from "../../domain/profile-schema.ts";

const WITHOUT_ACCURACY = {
  apiVersion: "variscale.dev/v1alpha1",
  kind: "PipelineMeasurements",
  machine: {},
  date: "2026-01-01T00:00:00.000Z",
  stages: {
    read: {
      light: {
        cores: 1,
        loadMs: 24.4,
        memoryMiB: 30,
        points: [
          { batch: 1, latencyMs: 1.23 },
          { batch: 2, latencyMs: 2 },
        ],
        fit: { fixedMs: 0.46, rowMs: 0.77, largestResidual: 0.031, isotonicResidual: 0 },
        switch: { coldMs: 120.4, residentMs: 3.5 },
        otherCores: [{ cores: 2, loadMs: 20, points: [{ batch: 1, latencyMs: 0.5 }] }],
      },
    },
  },
};
const accuracy = {
  stages: { read: { light: { accuracy: 0.873 } } },
  combinations: [
    {
      variants: { find: "small", read: "light" },
      accuracy: 0.7875,
      items: 400,
      interval: [0.7448, 0.8248],
      partAccuracy: 0.8855,
    },
  ],
};
const cellsOf = (measurements: unknown): string[][] =>
  formatMeasurements(measurementsSchema.parse(measurements))
    .split("\n")
    .map(line => line.trim().split(/ {2,}/));

describe("formatMeasurements()", () => {
  it("shows each variant and each combination with its interval", () => {
    const lines = cellsOf({ ...WITHOUT_ACCURACY, accuracy });
    assert.deepEqual(lines[2], ["read", "light", "87.3 %", "24", "120", "3.5", "30", "1: 1.2", "2: 2.0"]);
    assert.deepEqual(lines.at(-1), ["small → light", "78.8 %", "74.5 % to 82.5 %", "88.5 %", "400"]);
  });

  it("shows variants alone where no accuracy was measured", () => {
    const lines = cellsOf(WITHOUT_ACCURACY);
    assert.equal(lines.length, 8);
    assert.deepEqual(lines[2], ["read", "light", "–", "24", "120", "3.5", "30", "1: 1.2", "2: 2.0"]);
  });

  it("shows the line and the throughput on each number of cores", () => {
    const lines = cellsOf(WITHOUT_ACCURACY);
    assert.deepEqual(lines[6], ["read", "light", "1", "0.46 ms + 0.770 ms × rows", "3.1 %", "1: 813", "2: 1000"]);
    assert.deepEqual(lines[7], ["read", "light", "2", "–", "–", "1: 2000"]);
  });

  it("shows a row that takes less than none with its sign once", () => {
    const { light } = WITHOUT_ACCURACY.stages.read;
    const stages = { read: { light: { ...light, fit: { ...light.fit, rowMs: -0.0123 } } } };
    assert.equal(cellsOf({ ...WITHOUT_ACCURACY, stages })[6]?.[3], "0.46 ms − 0.012 ms × rows");
  });

  it("shows what an older file has not as not measured", () => {
    const { light } = WITHOUT_ACCURACY.stages.read;
    const { fit: _fit, switch: _switch, otherCores: _other, ...older } = light;
    const lines = cellsOf({ ...WITHOUT_ACCURACY, stages: { read: { light: older } } });
    assert.deepEqual(lines[2], ["read", "light", "–", "24", "–", "–", "30", "1: 1.2", "2: 2.0"]);
    assert.deepEqual(lines[6], ["read", "light", "1", "–", "–", "1: 813", "2: 1000"]);
  });

  it("marks a variant that another one is as fast as at every batch and as accurate as", () => {
    const { light } = WITHOUT_ACCURACY.stages.read;
    const stages = { read: { slow: { ...light, points: [{ batch: 1, latencyMs: 5 }] }, light } };
    const measured = { stages: { read: { slow: { accuracy: 0.8 }, light: { accuracy: 0.873 } } }, combinations: [] };
    const lines = cellsOf({ ...WITHOUT_ACCURACY, stages, accuracy: measured });
    assert.equal(lines[2]?.at(-1), "dominated by light");
    assert.equal(lines[3]?.at(-1), "2: 2.0");
  });
});
