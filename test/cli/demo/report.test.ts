import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { LoadShape } from "../../../cli/demo/load-shape.ts";
import { formatReport, reportRows } from "../../../cli/demo/report.ts";
import type { RequestRecord } from "../../../cli/demo/request-record.ts";
import type { Sample, ScenarioResult } from "../../../cli/demo/scenario.ts";
import { pipelineFixture } from "../../support/pipeline-fixture.ts";

const SHAPE: LoadShape = {
  durationMs: 4000,
  levels: [1],
  phases: [
    { name: "low", fromMs: 0, toMs: 2000 },
    { name: "peak", fromMs: 2000, toMs: 4000 },
  ],
};

const PIPELINE = pipelineFixture([{ name: "read", ladder: { heavy: [30, 0.95], light: [6, 0.9] } }], {
  slo: { latencyMs: 200, quantile: 0.95 },
});

const served = (atMs: number, variants: string, correct: boolean): RequestRecord => ({
  atMs,
  latencyMs: 50,
  outcome: "served",
  correct,
  partsCorrect: correct ? 5 : 4,
  parts: 5,
  variants: `read=${variants}`,
});

const sample = (atMs: number, replicas: number): Sample => ({
  atMs,
  replicas: { read: replicas },
  cores: replicas * 2,
  slowdown: replicas / 2,
  plannedMs: 10 * replicas,
});

const RESULT = {
  records: [
    served(0, "heavy", true),
    served(1999, "heavy:0.75+light:0.25", true),
    served(2000, "light", false),
    { ...served(2001, "", false), outcome: "dropped" as const, parts: 0, partsCorrect: 0, variants: "" },
  ],
  samples: [sample(1000, 1), sample(1500, 1), sample(1900, 2), sample(3000, 3), sample(4100, 1)],
};
const NOTHING = { records: [], samples: [] };
const report = (result: ScenarioResult) => reportRows("variscale", result, SHAPE, PIPELINE);

describe("reportRows()", () => {
  const rows = report(RESULT);

  it("has the median slowdown of each phase, from 1 on", () => {
    assert.deepEqual(
      rows.map(row => row.slowdown),
      [1, 1.5, 1],
    );
  });

  it("has the median work that was planned in each phase", () => {
    assert.deepEqual(
      rows.map(row => row.plannedMs),
      [10, 30, 20],
    );
  });

  it("has a row for each phase and one for the whole run, requests counted by when they were due", () => {
    assert.deepEqual(
      rows.map(row => [row.scenario, row.phase, row.offered, row.accuracy]),
      [
        ["variscale", "low", 2, 1],
        ["variscale", "peak", 2, 0],
        ["variscale", "whole run", 4, 2 / 3],
      ],
    );
  });

  it("has the variants that served by the answers, the variant of most rows first; the most replicas, mean cores", () => {
    assert.deepEqual(
      rows.map(row => [Object.entries(row.variants["read"] ?? {}), row.replicas["read"], row.cores]),
      [
        [Object.entries({ heavy: 0.875, light: 0.125 }), 2, 8 / 3],
        [[["light", 1]], 3, 6],
        [Object.entries({ heavy: 1.75 / 3, light: 1.25 / 3 }), 3, 3.5],
      ],
    );
  });

  it("has the work of a row, and the share of lighter variants than the heaviest of the whole run", () => {
    assert.deepEqual(
      rows.map(row => [row.workMs, row.lighterShare]),
      [
        [27, 0.125],
        [6, 1],
        [20, 1.25 / 3],
      ],
    );
  });

  it("can do without samples and requests", () => {
    const [row] = report(NOTHING);
    assert.deepEqual([row?.offered, row?.cores, row?.workMs, row?.variants], [0, 0, Number.NaN, {}]);
  });
});

describe("formatReport()", () => {
  it("is a table with a line a row and aligned columns", () => {
    const lines = formatReport(report(RESULT)).split("\n");
    assert.equal(lines.length, 5);
    assert.match(lines[0]!, /^scenario +phase +rps +p50 ms +p95 ms .* effective +cores +lighter +variants × replicas$/);
    assert.match(
      lines[2]!,
      /^variscale +low +1\.0 +50 +50 +100\.0 % +0 +0 +100\.0 % .* 2\.7 +12\.5 % +heavy:0\.88\+light:0\.13×2$/,
    );
    assert.equal(lines[4]!.indexOf("whole run"), lines[2]!.indexOf("low"));
  });

  it("has dashes where there is nothing", () => {
    const text = formatReport(report(NOTHING));
    assert.doesNotMatch(text, /NaN/);
    assert.match(text, / – /);
  });
});
