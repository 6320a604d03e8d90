import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { LoadShape } from "../../../cli/demo/load-shape.ts";
import { formatReport, reportRows } from "../../../cli/demo/report.ts";
import type { RequestRecord } from "../../../cli/demo/request-record.ts";
import type { Sample } from "../../../cli/demo/scenario.ts";

const SHAPE: LoadShape = {
  durationMs: 4000,
  levels: [1],
  phases: [
    { name: "low", fromMs: 0, toMs: 2000 },
    { name: "peak", fromMs: 2000, toMs: 4000 },
  ],
};

const served = (atMs: number, correct: boolean): RequestRecord => ({
  atMs,
  latencyMs: 50,
  outcome: "served",
  correct,
  partsCorrect: correct ? 5 : 4,
  parts: 5,
  variants: "",
});

/** @param rows of all 10 batches a second until then. */
const sample = (atMs: number, variant: string, replicas: number, switches: number, rows = 0): Sample => ({
  atMs,
  variants: { read: variant },
  replicas: { read: replicas },
  workMs: variant === "heavy" ? 30 : 6,
  cores: replicas * 2,
  switches,
  batches: { read: { batches: atMs / 100, rows } },
});

const RESULT = {
  name: "variscale",
  records: [served(0, true), served(1999, true), served(2000, false)],
  samples: [
    sample(1000, "heavy", 1, 1, 10),
    sample(1500, "heavy", 1, 1, 15),
    sample(1900, "light", 2, 2, 19),
    sample(3000, "light", 3, 5, 63),
    sample(4100, "light", 1, 6, 63),
  ],
};

describe("reportRows()", () => {
  const rows = reportRows(RESULT, SHAPE, 200);

  it("has a row for each phase and one for the whole run, requests counted by when they were due", () => {
    assert.deepEqual(
      rows.map(row => [row.scenario, row.phase, row.offered, row.accuracy]),
      [
        ["variscale", "low", 2, 1],
        ["variscale", "peak", 1, 0],
        ["variscale", "whole run", 3, 2 / 3],
      ],
    );
  });

  it("has the variant served most of the time, the most replicas, mean cores", () => {
    assert.deepEqual(
      rows.map(row => [row.variants["read"], row.replicas["read"], row.cores]),
      [
        ["heavy", 2, 8 / 3],
        ["light", 3, 6],
        ["heavy", 3, 3.5],
      ],
    );
  });

  it("has the mean work of what was served, moments without replicas left out", () => {
    assert.deepEqual(
      rows.map(row => row.workMs),
      [22, 6, 18],
    );
    const gone = { ...sample(1, "light", 0, 0), workMs: Number.NaN };
    const [low] = reportRows({ ...RESULT, samples: [gone, sample(2, "light", 1, 0)] }, SHAPE, 200);
    assert.equal(low?.workMs, 6);
  });

  it("has the mean rows of each phase's batches, of no batches none", () => {
    assert.deepEqual(
      rows.map(row => row.batchRows["read"]),
      [1, 2, 63 / 41],
    );
    const none = reportRows({ ...RESULT, samples: [sample(2500, "heavy", 1, 0, 25)] }, SHAPE, 200);
    assert.deepEqual(
      none.map(row => row.batchRows["read"]),
      [Number.NaN, 1, 1],
    );
  });

  it("has the switches of each phase, those of the requests that ended late in the last one", () => {
    assert.deepEqual(
      rows.map(row => row.switches),
      [2, 4, 6],
    );
  });

  it("can do without samples and requests", () => {
    const [row] = reportRows({ name: "x", records: [], samples: [] }, SHAPE, 200);
    assert.deepEqual([row?.offered, row?.cores, row?.switches, row?.variants], [0, 0, 0, {}]);
  });
});

describe("formatReport()", () => {
  it("is a table with a line a row and aligned columns", () => {
    const lines = formatReport(reportRows(RESULT, SHAPE, 200)).split("\n");
    assert.equal(lines.length, 5);
    assert.match(
      lines[0]!,
      /^scenario +phase +rps +p50 ms .* effective +cores +switches +rows a batch +variants × replicas$/,
    );
    assert.match(lines[2]!, /^variscale +low +1\.0 +50 +50 +100\.0 % +0 +0 +100\.0 % .* 2\.7 +2 +1\.0 +heavy×2$/);
    assert.equal(lines[4]!.indexOf("whole run"), lines[2]!.indexOf("low"));
  });

  it("has dashes where there is nothing", () => {
    const text = formatReport(reportRows({ name: "x", records: [], samples: [] }, SHAPE, 200));
    assert.doesNotMatch(text, /NaN/);
    assert.match(text, / – /);
  });
});
