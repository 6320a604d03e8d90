import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { ReceivedCounts } from "../../domain/profile-schema.ts";
import { predictionTable, stageErrorTable } from "../../explanation/accuracy-tables.ts";
import { pipelineFixture } from "../support/pipeline-fixture.ts";

const PIPELINE = pipelineFixture([
  { name: "find", ladder: { light: [1, 0.8] } },
  { name: "read", ladder: { heavy: [2, 0.9], light: [1, 0.7] } },
]);
const combinations = [
  {
    variants: { find: "light", read: "heavy" },
    accuracy: 0.75,
    items: 100,
    interval: [0.66, 0.82] as [number, number],
  },
  { variants: { find: "light", read: "light" }, accuracy: 0.6, items: 100 },
];
const stages = { find: { light: { accuracy: 0.8 } }, read: { heavy: { accuracy: 0.9 }, light: { accuracy: 0.7 } } };
const received: ReceivedCounts[] = [
  { stage: "find", variants: { find: "light" }, items: 100, right: 80 },
  {
    ...{ stage: "read", variants: { find: "light", read: "heavy" }, items: 100, right: 80 },
    before: { bothRight: 72, rightAfterWrong: 8, wrongAfterRight: 8, bothWrong: 12 },
    answers: { allStagesRight: 72, rightAfterRight: 72, rightAfterWrong: 3 },
  },
  {
    ...{ stage: "read", variants: { find: "light", read: "light" }, items: 100, right: 66 },
    before: { bothRight: 58, rightAfterWrong: 8, wrongAfterRight: 22, bothWrong: 12 },
    answers: { allStagesRight: 58, rightAfterRight: 58, rightAfterWrong: 2 },
  },
];
const withAccuracies = { ...PIPELINE, accuracy: { ...PIPELINE.accuracy, combinations } };

describe("stageErrorTable()", () => {
  it("has a line for every stage with one before it, and what the correlation of the others says of it", () => {
    const { header, lines } = stageErrorTable({ stages, combinations, received });
    assert.equal(header.length, lines[0]?.length);
    // ρ of the second line on the shares of the first: 0.8 · 0.8 + 0.274 · 0.16.
    const before = ["80.0 %", "90.0 %", "40.0 %", "72.0 %", "60.0 % to 80.0 %", "68.4 %"];
    assert.deepEqual(lines[0], ["light → heavy", ...before, "15.0 %", "1.000", "0.50"]);
    assert.deepEqual(lines[1]?.slice(7), ["10.0 %", "1.026", "0.27"]);
    assert.equal(lines.length, 2);
  });

  it("has a dash for everything in files of before it was counted", () => {
    const { header, lines } = stageErrorTable({ stages, combinations });
    assert.deepEqual(lines[1], ["light → light", ...header.slice(1).map(() => "–")]);
  });
});

describe("predictionTable()", () => {
  it("has the product and a chain with the measured recovery beside what was measured, and how far they are off", () => {
    const { lines } = predictionTable(withAccuracies, received);
    // r is 5 of 40 over both: 0.8 · 0.9 + 0.2 · 0.125.
    const both = ["75.0 %", "66.0 % to 82.0 %", "72.0 %", "−3.0", "74.5 %", "−0.5"];
    assert.deepEqual(lines[0], ["light → heavy", ...both]);
    assert.deepEqual(lines[1], ["light → light", "60.0 %", "–", "56.0 %", "−4.0", "58.5 %", "−1.5"]);
    assert.deepEqual(lines[2], ["mean absolute error", "", "", "", "3.5", "", "1.0"]);
  });

  it("has no chain without counts", () => {
    const { lines } = predictionTable(withAccuracies, null);
    assert.deepEqual(lines[0]?.slice(3), ["72.0 %", "−3.0", "–", "–"]);
    assert.deepEqual(lines[2]?.slice(3), ["", "3.5", "", "–"]);
  });
});
