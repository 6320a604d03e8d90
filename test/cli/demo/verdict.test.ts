import assert from "node:assert/strict";
import { describe, it } from "mocha";
import type { ReportRow } from "../../../cli/demo/report.ts";
import type { RequestRecord } from "../../../cli/demo/request-record.ts";
import { checkBehaviour, compareRuns, formatComparison } from "../../../cli/demo/verdict.ts";

const STEADY = [2, 2.2, 1.9];
const UNSTEADY = [5, 2.1, 2];
const PHASES = { low: "low", high: "peak" };
const NAMES = [
  "nothing lost",
  "several variants of a stage served",
  "lighter variants served at high load",
  "heavier variants at low load than at high load",
] as const;
const [LOST, SEVERAL, LIGHTER, HEAVIER] = NAMES;

const row = (phase: string, above: Partial<ReportRow> = {}): ReportRow => ({
  scenario: "variscale",
  phase,
  offered: 100,
  offeredRps: 10,
  served: 100,
  dropped: 0,
  lost: 0,
  p50Ms: 50,
  p95Ms: 100,
  sloAttainment: 1,
  accuracy: 0.9,
  partAccuracy: 0.95,
  effectiveAccuracy: 0.9,
  variants: { detect: { heavy: 1 }, read: { heavy: 1 } },
  replicas: { detect: 1, read: 1 },
  workMs: 60,
  lighterShare: 0,
  cores: 2,
  slowdown: 1,
  plannedMs: 20,
  ...above,
});

/** A run that shows all it must; `above` replaces fields of one row. */
function rowsWith(phase = "", above: Partial<ReportRow> = {}): ReportRow[] {
  const variants = { detect: { heavy: 1 }, read: { light: 0.6, heavy: 0.4 } };
  return [
    row("low"),
    row("peak", { workMs: 20, variants, lighterShare: 0.3 }),
    row("whole run", { variants, lighterShare: 0.1 }),
  ].map(one => (one.phase === phase ? { ...one, ...above } : one));
}

const failed = (rows: readonly ReportRow[], phases: typeof PHASES | null = PHASES): string[] =>
  checkBehaviour(rows, phases, STEADY).flatMap(check => (check.passed === false ? check.name : []));

describe("checkBehaviour()", () => {
  it("passes for a run that shows all it must, and says by which variants", () => {
    const checks = checkBehaviour(rowsWith(), PHASES, STEADY);
    assert.deepEqual(
      checks.map(({ name, passed }) => [name, passed]),
      NAMES.map(name => [name, true]),
    );
    assert.equal(checks[2]?.detail, "30.0 % of the rows: detect heavy 100.0 %; read light 60.0 %, heavy 40.0 %");
  });

  const ALONE = { detect: { heavy: 1 }, read: { light: 1 } };
  const FAULTS: readonly (readonly [phase: string, fault: Partial<ReportRow>, check: string])[] = [
    ["whole run", { lost: 1 }, LOST],
    ["whole run", { variants: ALONE }, SEVERAL],
    ["whole run", { variants: {} }, SEVERAL],
    ["peak", { lighterShare: 0 }, LIGHTER],
    ["peak", { lighterShare: Number.NaN }, LIGHTER],
    ["peak", { workMs: 60 }, HEAVIER],
    ["low", { workMs: 20 }, HEAVIER],
    ["low", { workMs: Number.NaN }, HEAVIER],
  ];
  for (const [phase, fault, check] of FAULTS)
    it(`fails for ${phase} with ${JSON.stringify(fault)}`, () => {
      assert.deepEqual(failed(rowsWith(phase, fault)), [check]);
    });

  it("does not judge accuracy, latency and the SLO", () => {
    const slow = { effectiveAccuracy: 0, accuracy: Number.NaN, sloAttainment: 0, p50Ms: 1e6, p95Ms: 1e6, dropped: 100 };
    assert.deepEqual(failed(rowsWith("whole run", slow)), []);
  });

  it("leaves open what a machine that did not keep its speed does not show, but not what was lost", () => {
    const checks = checkBehaviour(rowsWith("peak", { lighterShare: 0 }), PHASES, UNSTEADY);
    assert.deepEqual(
      checks.map(check => check.passed),
      [true, true, null, true],
    );
    assert.match(checks[2]?.detail ?? "", /did not keep its speed \(speed factors 5\.00, 2\.10, 2\.00\)/);
    assert.equal(checkBehaviour(rowsWith("whole run", { lost: 1 }), PHASES, UNSTEADY)[0]?.passed, false);
  });

  it("leaves open whether low load gets heavier variants where batches took far longer then than was measured", () => {
    const slow = { workMs: 20, slowdown: 1.7 };
    const checks = checkBehaviour(rowsWith("low", slow), PHASES, STEADY);
    assert.deepEqual(
      checks.map(check => check.passed),
      [true, true, true, null],
    );
    assert.match(checks[3]?.detail ?? "", /batches took 1\.7 times as long at low load/);
    assert.deepEqual(failed(rowsWith("low", { ...slow, slowdown: 1.3 })), [HEAVIER]);
    assert.deepEqual(failed(rowsWith("peak", { workMs: 60, slowdown: 1.7 })), [HEAVIER]);
  });

  it("leaves it open where far heavier variants were planned for low load than replicas had time for", () => {
    const rows = rowsWith("low", { workMs: 20, plannedMs: 60 });
    const checks = checkBehaviour(rows, PHASES, STEADY);
    assert.equal(checks[3]?.passed, null);
    // A busy machine may leave no time for plans at the edge of the SLO, though replicas do go heavier.
    const edge = rowsWith("low", { workMs: 21, plannedMs: 190 }).map(one =>
      one.phase === "low" ? one : { ...one, workMs: 32 },
    );
    assert.equal(checkBehaviour(edge, PHASES, STEADY)[3]?.passed, null);
    // Replicas that never serve anything heavier have another fault.
    const never = rows.map(one => ({ ...one, workMs: 20 }));
    assert.equal(checkBehaviour(never, PHASES, STEADY)[3]?.passed, false);
    assert.match(checks[3]?.detail ?? "", /60\.0 ms of work a row were planned at low load/);
    assert.deepEqual(failed(rowsWith("low", { workMs: 20, plannedMs: 27 })), [HEAVIER]);
  });

  it("leaves the phases out for a load of the user's", () => {
    assert.deepEqual(failed(rowsWith("low", { workMs: 0 }), null), []);
    assert.deepEqual(failed(rowsWith("whole run", { variants: ALONE }), null), [SEVERAL]);
  });

  it("fails where a phase, or all of it, is missing", () => {
    assert.deepEqual(failed(rowsWith().filter(({ phase }) => phase !== "peak")), [LIGHTER, HEAVIER]);
    assert.deepEqual(failed([]), NAMES);
  });
});

/** Requests at 1 s intervals; `outcomes` has a character each: `+` right in time, `-` wrong, `l` late, `d` dropped. */
function recordsOf(outcomes: string): RequestRecord[] {
  return [...outcomes].map((outcome, i) => ({
    atMs: i * 1000,
    latencyMs: outcome === "l" ? 300 : 50,
    outcome: outcome === "d" ? "dropped" : "served",
    correct: outcome !== "-",
    partsCorrect: 0,
    parts: 0,
    variants: "",
  }));
}

const compare = (ours: string, others: string) => compareRuns(recordsOf(ours), "fixed", recordsOf(others), 200);

describe("compareRuns()", () => {
  it("pairs requests by when they were due, whatever the order of their answers", () => {
    const ours = recordsOf("++-l+d++++");
    const others = recordsOf("+++++-++--");
    const forward = compareRuns(ours, "fixed", others, 200);
    assert.equal(forward.difference, 0);
    assert.deepEqual(compareRuns(ours, "fixed", others.toReversed(), 200), forward);
  });

  it("has a standard error that is clustered by blocks of 5 s", () => {
    // Blocks' sums of differences: −2, 0, +1; mean −1/15: squares (−2 + 1/3)², (1/3)², (1 + 1/3)², by 3/2, of 15 requests.
    const { difference, standardError, blocks } = compare("--+++++++++++++", "++++++++++++++-");
    assert.equal(blocks, 3);
    assert.ok(Math.abs(difference + 1 / 15) < 1e-12);
    const expected = Math.sqrt((3 / 2) * ((5 / 3) ** 2 + (1 / 3) ** 2 + (4 / 3) ** 2)) / 15;
    assert.ok(Math.abs(standardError - expected) < 1e-12);
  });

  it("says that it is below from more than two standard errors on", () => {
    const all = "+".repeat(20);
    const [three, fewer] = ["-++++-++++-+++++++++", "-++++-++++++++++++++"];
    assert.equal(compare(three, all).isBelow, true);
    assert.equal(compare(fewer, all).isBelow, false);
    assert.equal(compare(all, three).isBelow, false);
    assert.equal(compare(all, all).isBelow, false);
  });

  it("takes nothing for below where one block tells nothing of its own error", () => {
    const { standardError, isBelow } = compare("-----", "+++++");
    assert.deepEqual([standardError, isBelow], [Number.NaN, false]);
  });

  it("is one line", () => {
    const line = formatComparison({
      ...{ against: "best fixed for the peak", difference: -0.031, standardError: 0.0125, blocks: 13, isBelow: true },
    });
    assert.equal(
      line,
      "variscale against best fixed for the peak: −3.1 points of effective accuracy (standard error 1.3, paired by request, 13 blocks of 5 s): more than two standard errors below it",
    );
    const above = { against: "x", difference: 0.02, standardError: 0.009, blocks: 4, isBelow: false };
    assert.match(formatComparison(above), /\+2 points .*: more than two standard errors above it$/);
    for (const standardError of [0.011, Number.NaN])
      assert.match(formatComparison({ ...above, standardError }), /: not more than two standard errors below it$/);
  });
});
