import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { KeptRuns, type RunKey } from "../../../bench/ladder/kept-runs.ts";
import { countCoreSeconds, markRequests, type RunRow } from "../../../bench/ladder/play-contender.ts";
import { estimateMinutes } from "../../../bench/ladder/player.ts";
import { type Cell, createFigures } from "../../../bench/ladder/real-figures.ts";
import { isEffective, type RequestRecord } from "../../../cli/demo/request-record.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";

const ROW: RunRow = {
  pipeline: "video",
  condition: "demo",
  contender: "variscale",
  seed: 1,
  requests: 3000,
  effectivePercent: 90,
  inTimePercent: 99,
  dropped: 2,
  lost: 0,
  p50Ms: 20,
  p95Ms: 50,
  coreSeconds: 128,
  speedFactor: 1,
  serviceFactors: {},
  good: "101",
  inTime: "111",
};

describe("KeptRuns", () => {
  const key: RunKey = {
    pipeline: twoStages(),
    machineCores: 2,
    disturbance: null,
    arrivalsMs: [1, 2, 3],
    warmUpMs: [0],
  };
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "variscale-runs-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("plays again what was not done before, and nothing else", async () => {
    const file = join(folder, "rows.jsonl");
    let played = 0;
    const play = async (): Promise<RunRow> => {
      played += 1;
      return ROW;
    };
    const playIn = async (one: RunKey, code = "code") => (await new KeptRuns(file, code).playOnce(one, play)).isKept;
    assert.deepEqual([await playIn(key), played], [false, 1]);
    assert.deepEqual([await playIn(key), played], [true, 1]);
    assert.deepEqual(await playIn({ ...key, arrivalsMs: [1, 2, 4] }), false);
    assert.deepEqual(await playIn({ ...key, machineCores: 4 }), false);
    assert.deepEqual(await playIn({ ...key, pipeline: twoStages({ serving: { rule: "fixed" } }) }), false);
    assert.deepEqual(await playIn({ ...key, disturbance: "stalls" }), false);
    assert.deepEqual(await playIn(key, "other code"), false);
    // A crash while a line was written: that run is done again, and the others stay.
    writeFileSync(file, readFileSync(file).subarray(0, -5));
    assert.deepEqual(await playIn(key, "other code"), false);
    assert.deepEqual([await playIn(key), played], [true, 7]);
  });

  it("goes on with the speed that the loads of earlier runs were made for", () => {
    const file = join(folder, "rows.jsonl");
    assert.equal(new KeptRuns(file, "code").readSpeed("video"), null);
    new KeptRuns(file, "code").keepSpeed("video", 1.25);
    assert.equal(new KeptRuns(file, "code").readSpeed("video"), 1.25);
    assert.equal(new KeptRuns(file, "code").readSpeed("audio"), null);
  });
});

describe("estimateMinutes()", () => {
  it("counts the load and what is beside it, for each run of each cell", () => {
    const course = { durationMs: 64_000, peakRps: 1, shareAt: () => 1 };
    assert.equal(estimateMinutes([{ course }, { course: { ...course, durationMs: 100_000 } }], 5), 17);
  });
});

describe("rows of runs", () => {
  const record = (atMs: number, more: Partial<RequestRecord>): RequestRecord => ({
    atMs,
    latencyMs: 50,
    outcome: "served",
    correct: true,
    partsCorrect: 1,
    parts: 1,
    variants: "",
    ...more,
  });

  it("mark requests in the order of the arrivals, right and within the SLO", () => {
    const records = [
      record(4, { correct: false }),
      record(1, {}),
      record(3, { outcome: "dropped" }),
      record(2, { latencyMs: 101 }),
      record(5, { latencyMs: 100 }),
    ];
    const mark = (record: RequestRecord) => isEffective(record, 100);
    assert.equal(markRequests(records, mark), "10001");
  });

  it("count the cores of ready replicas until the load ends", () => {
    const samples = [
      { atMs: 1000, replicas: { detect: 1, read: 1 } },
      { atMs: 3000, replicas: { detect: 1, read: 2 } },
      { atMs: 9000, replicas: { detect: 0, read: 1 } },
    ];
    const stages = [
      { name: "detect", cores: 2 },
      { name: "read", cores: 1 },
    ];
    assert.equal(countCoreSeconds(samples, stages, 4000), 3 + 8 + 1);
  });
});

describe("createFigures()", () => {
  const createCell = (name: string, points: number, upperPoints: number, ours: Partial<RunRow>): Cell => ({
    name,
    disturbance: null,
    sloMs: 60,
    difference: { points, upperPoints, requests: 3000 },
    ours: [{ ...ROW, ...ours }],
    theirs: [{ ...ROW, contender: "light" }],
    beside: [],
    clairvoyantPercent: 90,
    avoidablePercent: 0,
  });
  const find = (cells: readonly Cell[], name: string) => createFigures(cells, "whole").find(one => one.name === name);

  it("has the upper end of the worst cell and every cell beside it", () => {
    const cells = [createCell("video/demo", 5, 7, {}), createCell("audio/flat", -4, -2, {})];
    const difference = find(cells, "ladder.vsBestFixed.worst");
    assert.equal(difference?.value, -2);
    assert.equal(difference?.holds, false);
    assert.deepEqual(difference?.against, {
      point: -4,
      "video/demo": 5,
      "video/demo upper": 7,
      "audio/flat": -4,
      "audio/flat upper": -2,
    });
  });

  it("compares the median with the larger of 0.6 × SLO and 1.5 × the best fixed one's, and never holds where nothing was served", () => {
    const p50 = (p50Ms: number | null) => find([createCell("video/demo", 5, 7, { p50Ms })], "ladder.p50");
    assert.deepEqual([p50(36)?.value, p50(36)?.holds], [1, true]);
    assert.deepEqual([p50(45)?.value, p50(45)?.holds], [1.25, false]);
    assert.deepEqual([p50(null)?.value, p50(null)?.holds], [null, false]);
  });

  it("does not count where it was short or a cell has few requests", () => {
    const cell = createCell("video/demo", 5, 7, {});
    assert.equal(find([cell], "ladder.vsBestFixed.worst")?.holds, true);
    const few = { ...cell, difference: { ...cell.difference, requests: 1999 } };
    for (const extent of ["oneSeed", "short"] as const)
      assert.ok(createFigures([cell], extent).every(({ holds }) => !holds));
    assert.ok(createFigures([few], "whole").every(({ holds }) => !holds));
  });

  it("takes the mean share of the gap to the clairvoyant over cells where that is at least 2 points", () => {
    const cells = [
      { ...createCell("video/demo", 4, 5, { effectivePercent: 94 }), clairvoyantPercent: 98 },
      { ...createCell("audio/demo", 0, 1, { effectivePercent: 90 }), clairvoyantPercent: 92 },
      { ...createCell("audio/flat", 1, 2, { effectivePercent: 91 }), clairvoyantPercent: 91.5 },
    ];
    const closed = find(cells, "ladder.gapClosed");
    assert.equal(closed?.value, 0.25);
    assert.deepEqual([closed?.against?.["video/demo"], closed?.against?.["audio/flat clairvoyant"]], [0.5, 91.5]);
    assert.deepEqual(
      [find(cells.slice(2), "ladder.gapClosed")?.value, find(cells.slice(2), "ladder.gapClosed")?.holds],
      [null, false],
    );
  });

  it("has avoidable misses of the worst cell without stalls and with them, and none that was not run", () => {
    const cells: Cell[] = [
      { ...createCell("video/demo", 5, 7, {}), avoidablePercent: 0.2 },
      { ...createCell("video/neighbours", 5, 7, {}), disturbance: "neighbours", avoidablePercent: 0.4 },
      { ...createCell("video/stalls", 5, 7, {}), disturbance: "stalls", avoidablePercent: 0.6 },
    ];
    const read = (name: string, of = cells) => {
      const { value, holds } = find(of, name) ?? {};
      return [value, holds];
    };
    assert.deepEqual(read("ladder.avoidableMissPercent"), [0.4, true]);
    assert.deepEqual(read("ladder.avoidableMissPercentInStalls"), [0.6, false]);
    assert.deepEqual(read("ladder.avoidableMissPercentInStalls", cells.slice(0, 2)), [null, false]);
  });

  it("shows the product less each contender behind an HPA", () => {
    const row = { ...ROW, contender: "ladder+HPA large" };
    const cell = {
      ...createCell("video/demo", 5, 7, {}),
      beside: [{ row, difference: { points: 3, upperPoints: 4, requests: 700 } }],
    };
    assert.equal(find([cell], "ladder.vsBestFixed.worst")?.against?.["video/demo less ladder+HPA large"], 3);
  });
});
