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
    assert.deepEqual(lines[2], ["read", "light", "87.3 %", "24", "30", "1: 1.2", "2: 2.0"]);
    assert.deepEqual(lines.at(-1), ["small → light", "78.8 %", "74.5 % to 82.5 %", "88.5 %", "400"]);
  });

  it("shows variants alone where no accuracy was measured", () => {
    const lines = cellsOf(WITHOUT_ACCURACY);
    assert.equal(lines.length, 3);
    assert.deepEqual(lines[2], ["read", "light", "–", "24", "30", "1: 1.2", "2: 2.0"]);
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
