import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import type { ExperimentCase } from "../../bench/experiments/e1-cells.ts";
import { KeptRows } from "../../bench/experiments/kept-rows.ts";
import { rowsOf } from "../../bench/experiments/run-cases.ts";
import { pipelineOf } from "../optimizer/problems.ts";
import { poissonLoad, scenario } from "../simulator/scenario.ts";

const PIPELINE = pipelineOf({
  sloMs: 400,
  stages: [{ name: "detect", variants: [{ name: "light", latencyMs: { 1: 8 } }] }],
});
const LOAD = poissonLoad(120, () => 10);
const COMMON = { ...scenario(PIPELINE, LOAD), policy: "default", ownModel: null } as const;

const caseOf = (seed: number): ExperimentCase => ({
  cell: { pipeline: "p", load: "steady", sloFactor: 5, contender: `seed ${seed}`, seed },
  given: { ...COMMON, seed },
});
const CASES = [caseOf(1), caseOf(2)];

/** Says in each row that it was kept. */
const mark = (file: string): void => {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  const rows = lines.map(line => JSON.parse(line) as { row: object });
  writeFileSync(file, rows.map(one => `${JSON.stringify({ ...one, row: { ...one.row, offered: -1 } })}\n`).join(""));
};
const run = async (file: string, cases: readonly ExperimentCase[], code?: string) =>
  (await rowsOf("e1", cases, "", new KeptRows(file, code))).map(({ offered }) =>
    offered === -1 ? "kept" : "simulated",
  );

describe("KeptRows", function () {
  this.timeout(300_000);
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-rows-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("has what was simulated before of the same case and code, and nothing else", async () => {
    const file = join(folder, "rows.jsonl");
    assert.deepEqual(await run(file, CASES), ["simulated", "simulated"]);
    mark(file);
    assert.deepEqual(await run(file, [caseOf(3), ...CASES]), ["simulated", "kept", "kept"]);
    assert.deepEqual(await run(file, CASES, "other code"), ["simulated", "simulated"]);
    const [first] = CASES as [ExperimentCase];
    const ratesRps = first.given.load.ratesRps.map((rate, i) => (i === 100 ? rate + 1 : rate));
    const other = { ...first, given: { ...first.given, load: { ...first.given.load, ratesRps } } };
    assert.deepEqual(await run(file, [other]), ["simulated"]);
    const named = { ...first, cell: { ...first.cell, contender: "another name" } };
    const [row] = await rowsOf("e1", [named], "", new KeptRows(file));
    assert.deepEqual([row?.offered, row?.contender], [-1, "another name"]);
  });

  it("goes on where a crash cut off the last line", async () => {
    const file = join(folder, "rows.jsonl");
    await run(file, CASES);
    mark(file);
    writeFileSync(file, readFileSync(file, "utf8").slice(0, -20));
    const [first, second] = await run(file, CASES);
    assert.deepEqual([first, second].sort(), ["kept", "simulated"]);
    assert.deepEqual([...new Set(await run(file, CASES))].sort(), ["kept", "simulated"]);
    assert.equal(readFileSync(file, "utf8").trimEnd().split("\n").length, 2);
  });

  it("does not touch another file", () => {
    const file = join(folder, "notes");
    for (const text of ["notes", "notes\n", "{}\n", '{"key":"a","row":{}}\n']) {
      writeFileSync(file, text);
      assert.throws(() => new KeptRows(file), /notes.*no rows? of an experiment; give another file to --rows/);
      assert.equal(readFileSync(file, "utf8"), text);
    }
  });
});
