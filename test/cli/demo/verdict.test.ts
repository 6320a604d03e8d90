import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { ReportRow } from "../../../cli/demo/report.ts";
import { checks, SCENARIOS } from "../../../cli/demo/verdict.ts";

const gain = (value: number) => ({ gain: value, largest: 8 });
/** Batches pay in `read` alone. */
const GAINS = {
  detect: { heavy: gain(1.1), light: gain(1.2) },
  read: { heavy: gain(1.49), light: gain(1.5) },
};
const STEADY = { speedFactors: [2, 2.2, 1.9, 2], gains: GAINS, short: false };
const UNSTEADY = { speedFactors: [5, 2.1, 2, 2], gains: GAINS, short: false };
const PHASES = { low: "low", high: ["peak"] };
const BATCHES = "larger batches at high load than at low load, where they pay";
const [OURS, HEAVIEST, LIGHTEST] = SCENARIOS;

const row = (scenario: string, phase: string, above: Partial<ReportRow> = {}): ReportRow => ({
  scenario,
  phase,
  offered: 100,
  offeredRps: 10,
  served: 100,
  dropped: 0,
  lost: 0,
  p50Ms: 50,
  p99Ms: 100,
  sloAttainment: 1,
  accuracy: 0.9,
  partAccuracy: 0.95,
  effectiveAccuracy: 0.9,
  variants: { detect: "heavy", read: "heavy" },
  replicas: { detect: 1, read: 1 },
  batchRows: { detect: 1, read: 1.5 },
  workMs: 60,
  cores: 2,
  switches: 4,
  ...above,
});

const LIGHT = { detect: "light", read: "light" };

/** A run that shows all it must; `above` replaces fields of one row. */
function rowsWith(scenario = "", phase = "", above: Partial<ReportRow> = {}): ReportRow[] {
  return [
    row(OURS, "low"),
    row(OURS, "peak", { workMs: 20, variants: LIGHT, batchRows: { detect: 1, read: 3 } }),
    row(OURS, "fall", { workMs: 10, variants: LIGHT, batchRows: { detect: 1, read: 4 } }),
    row(OURS, "whole run"),
    row(HEAVIEST, "whole run", { effectiveAccuracy: 0.5, switches: 0 }),
    row(LIGHTEST, "whole run", { effectiveAccuracy: 0.8, switches: 0 }),
  ].map(one => (one.scenario === scenario && one.phase === phase ? { ...one, ...above } : one));
}

const failed = (rows: readonly ReportRow[], phases: typeof PHASES | null = PHASES): string[] =>
  checks(rows, phases, STEADY).flatMap(check => (check.passed ? [] : check.name));

describe("checks()", () => {
  it("leave open what a machine that did not keep its speed does not show, but not what was lost", () => {
    const rows = rowsWith(HEAVIEST, "whole run", { effectiveAccuracy: 1 });
    const passed = checks(rows, PHASES, UNSTEADY).map(check => check.passed);
    assert.deepEqual(passed, [true, true, null, true, true, true]);
    const lost = checks(rowsWith(OURS, "whole run", { lost: 1 }), PHASES, UNSTEADY);
    assert.equal(lost[0]?.passed, false);
  });

  it("leave open what a short run gains, but not what it switches", () => {
    const rows = rowsWith(OURS, "whole run", { effectiveAccuracy: 0.1, switches: 0 });
    const judged = checks(rows, PHASES, { ...STEADY, short: true });
    assert.deepEqual(
      judged.map(check => check.passed),
      [true, false, null, null, true, true],
    );
    assert.match(judged[2]?.detail ?? "", /10\.0 % against 50\.0 %.*short run/);
    const same = checks(rowsWith(OURS, "low", { workMs: 20 }), PHASES, { ...STEADY, short: true });
    assert.equal(same.at(-2)?.passed, null);
    const small = checks(rowsWith(OURS, "low", { batchRows: { detect: 1, read: 3 } }), PHASES, {
      ...STEADY,
      short: true,
    });
    assert.equal(small.at(-1)?.passed, null);
    const won = checks(rowsWith(), PHASES, { ...STEADY, short: true });
    assert.ok(won.every(check => check.passed === true));
  });

  it("pass for a run that shows all it must", () => {
    assert.deepEqual(failed(rowsWith()), []);
    assert.equal(checks(rowsWith(), PHASES, STEADY).length, 6);
  });

  const FAULTS: readonly (readonly [scenario: string, phase: string, fault: Partial<ReportRow>, check: string])[] = [
    [OURS, "whole run", { lost: 1 }, "nothing lost"],
    [OURS, "whole run", { switches: 0 }, "variants were switched while serving"],
    [HEAVIEST, "whole run", { effectiveAccuracy: 0.9 }, "more effective accuracy than always heaviest"],
    [HEAVIEST, "whole run", { effectiveAccuracy: Number.NaN }, "more effective accuracy than always heaviest"],
    [LIGHTEST, "whole run", { effectiveAccuracy: 0.95 }, "more effective accuracy than always lightest"],
    [OURS, "low", { workMs: 20 }, "heavier variants at low load than at high load"],
    [OURS, "peak", { workMs: 60 }, "heavier variants at low load than at high load"],
    [OURS, "low", { workMs: Number.NaN }, "heavier variants at low load than at high load"],
    [OURS, "low", { batchRows: { detect: 0.5, read: 3 } }, BATCHES],
    [OURS, "peak", { batchRows: { detect: 8, read: 1.5 } }, BATCHES],
    [OURS, "peak", { batchRows: { detect: 8, read: Number.NaN } }, BATCHES],
    [OURS, "peak", { batchRows: {} }, BATCHES],
  ];
  for (const [scenario, phase, fault, check] of FAULTS) {
    it(`fail for ${scenario}, ${phase} with ${JSON.stringify(fault)}`, () => {
      assert.deepEqual(failed(rowsWith(scenario, phase, fault)), [check]);
    });
  }

  it("compare low load with the phase of high load that had the lightest variants", () => {
    const high = { low: "low", high: ["peak", "fall"] };
    assert.deepEqual(failed(rowsWith(OURS, "peak", { workMs: 60 }), high), []);
    assert.deepEqual(failed(rowsWith(OURS, "low", { workMs: 15 }), high), []);
    assert.equal(failed(rowsWith(OURS, "low", { workMs: 10 }), high).length, 1);
  });

  it("look for larger batches in every phase of high load", () => {
    const high = { low: "low", high: ["peak", "fall"] };
    const rows = rowsWith(OURS, "low", { batchRows: { detect: 1, read: 3.5 } });
    assert.deepEqual(failed(rows), [BATCHES]);
    assert.deepEqual(failed(rows, high), []);
    assert.equal(
      checks(rows, high, STEADY).at(-1)?.detail,
      "read light: 3.50 rows a batch at low load, 4.00 at high load",
    );
  });

  it("take batches for larger by a tenth at least, and leave them open where low load has filled the largest", () => {
    const judged = (low: number, high: number) => {
      const rows = rowsWith(OURS, "low", { batchRows: { detect: 1, read: low } });
      const peak = { ...rows[1]!, batchRows: { detect: 1, read: high } };
      return checks([rows[0]!, peak, ...rows.slice(2)], PHASES, STEADY).at(-1);
    };
    assert.equal(judged(1.003, 1.004)?.passed, false);
    assert.equal(judged(3, 3.2)?.passed, false);
    assert.equal(judged(3, 3.4)?.passed, true);
    assert.equal(judged(7, 7)?.passed, false);
    const full = judged(7.5, 7.9);
    assert.equal(full?.passed, null);
    assert.match(full?.detail ?? "", /^not checked, since batches are full at low load: read light: 7\.50 rows/);
  });

  it("leave batches open where they pay in no stage by what was served at high load, and say why", () => {
    for (const variants of [
      { detect: "heavy", read: "heavy" },
      { detect: "heavy", read: "heavy+light" },
    ]) {
      const check = checks(rowsWith(OURS, "peak", { variants, batchRows: { detect: 1, read: 1 } }), PHASES, STEADY).at(
        -1,
      );
      assert.deepEqual([check?.name, check?.passed], [BATCHES, null]);
      assert.match(
        check?.detail ?? "",
        /^not checked.* below 1\.5 .*\(detect heavy 1\.10, read (heavy|heavy\+light) 1\.49\)$/,
      );
    }
    const unprofiled = checks(rowsWith(), PHASES, { ...STEADY, gains: {} }).at(-1);
    assert.deepEqual([unprofiled?.passed, /detect light –, read light –/.test(unprofiled?.detail ?? "")], [null, true]);
  });

  it("fail where nothing was answered", () => {
    const rows = rowsWith().map(one => ({ ...one, effectiveAccuracy: Number.NaN }));
    assert.equal(failed(rows).length, 2);
  });

  it("leave the phases out for a load of the user's", () => {
    assert.equal(checks(rowsWith(), null, STEADY).length, 4);
    assert.deepEqual(failed(rowsWith(OURS, "low", { workMs: 0, batchRows: {} }), null), []);
  });

  it("fail where a scenario was not played", () => {
    for (const missing of SCENARIOS)
      assert.deepEqual(failed(rowsWith().filter(one => one.scenario !== missing)), ["all scenarios were played"]);
    assert.deepEqual(failed(rowsWith().filter(one => one.phase !== "peak")), [
      "heavier variants at low load than at high load",
      BATCHES,
    ]);
  });
});
