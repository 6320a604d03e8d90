import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { e1Figures } from "../../bench/experiments/e1-figures.ts";
import { e1Report } from "../../bench/experiments/e1-report.ts";
import type { ExperimentRow } from "../../bench/experiments/report-parts.ts";

function row(contender: string, effectiveAccuracy: number, cores: number, violations: number): ExperimentRow {
  return {
    pipeline: "video",
    load: "bursty",
    sloFactor: 5,
    contender,
    seed: 1,
    offered: 1000,
    inTime: 1000 * (1 - violations),
    late: 0,
    dropped: 1000 * violations,
    lost: 0,
    refused: 0,
    violations,
    accuracy: effectiveAccuracy,
    effectiveAccuracy,
    cores,
    p50Ms: 10,
    p95Ms: 20,
    p99Ms: 30,
    switches: 1,
    podsStarted: 1,
    decisions: 1,
    tickMs: 0.1,
    timeline: [],
  };
}

describe("e1Report()", () => {
  it("compares with the best of the frontier that has no more cores and no more violations", () => {
    const report = e1Report("made up", [
      row("default", 0.5, 9, 0.01),
      row("default, core ÷10", 0.7, 10, 0.01),
      row("default, core ÷100", 0.9, 20, 0.01),
      row("ipa", 0.6, 10, 0.02),
    ]);
    assert.match(
      report,
      /Against `ipa`.*\(1 of 1 cells have one\): effective accuracy \+10\.0 points on average, higher in 1/,
    );
    assert.match(report, /beats `default` .*: 0 of 1/);
    assert.match(report, /\| bursty \| ipa \| 60\.0 % \| 60\.0 % \| 10\.0 \| 2\.00 % \| 1 of 1 \| 1 \|/);
    assert.match(report, /\| `e1slo5x.vsIpa` \| 10 points \| ≥ 0\.1 \| yes \| coresSavedPercent 0, cells 1, of 1 \|/);
  });

  it("says what fewer cores do as well, and in which cells there is nothing as good", () => {
    const report = e1Report("made up", [
      row("default", 0.6, 7, 0.01),
      row("ipa", 0.6, 10, 0.01),
      row("HPA, heaviest", 0.7, 20, 0),
    ]);
    assert.match(
      report,
      /Against `ipa`.*\(1 have one; in the others nothing is saved\): 30\.0 % fewer cores on average, a fifth or more in 1/,
    );
    assert.doesNotMatch(report, /Against `HPA, heaviest`/, "nothing of ours violates as little");
  });

  it("names what beats `default` on all three at once, the oracle and its own frontier aside", () => {
    const report = e1Report("made up", [
      row("default", 0.6, 7, 0.01),
      row("default, core ÷10", 0.65, 6, 0.01),
      row("oracle", 0.7, 5, 0),
      row("fa2Low", 0.61, 6, 0.01),
      row("rim", 0.9, 50, 0),
    ]);
    assert.match(report, /beats `default` .*: 1 of 1 \(video bursty: fa2Low\)/);
  });
});

describe("e1Figures()", () => {
  it("is what the report says, in points and per cent, against the bars", () => {
    const figures = e1Figures(
      [
        row("default", 0.6, 7, 0.01),
        row("default, core ÷10", 0.7, 10, 0.01),
        row("oracle", 0.7, 5, 0.004),
        row("ipa", 0.6, 10, 0.04),
        row("HPA, heaviest", 0.7, 20, 0.02),
        row("fa2Low", 0.61, 6, 0.01),
        { ...row("default", 0.7, 10, 0.01), load: "steady" },
        { ...row("HPA, heaviest", 0.7, 11, 0.02), load: "steady" },
      ],
      "made up",
    );
    assert.deepEqual(Object.fromEntries(figures.map(({ name, value, holds }) => [name, [value, holds]])), {
      "e1slo5x.vsIpa": [10, true],
      "e1slo5x.dominatedShare": [50, false],
      "violations.overOracle": [0.6, false],
      "violations.vsIpa": [0.25, true],
      "vsHpa.coresSaved": [9.091, true],
    });
  });

  it("leaves out what an HPA with one replica of each stage has, and says of how many cells", () => {
    const fewest = 17;
    const cells = (hpaCores: number) => [
      { ...row("default", 0.2, 5, 0.01), pipeline: "sum-qa" },
      { ...row("default, core ÷10", 0.3, 18, 0.01), pipeline: "sum-qa" },
      { ...row("HPA, heaviest", 0.3, hpaCores, 0.01), pipeline: "sum-qa" },
      row("default", 0.6, 18, 0.01),
      row("HPA, heaviest", 0.6, 20, 0.01),
    ];
    const saved = (hpaCores: number) => e1Figures(cells(hpaCores), "").find(({ name }) => name === "vsHpa.coresSaved");
    assert.deepEqual([saved(fewest)?.value, saved(fewest)?.against?.["withOneReplicaEach"]], [10, 1]);
    assert.deepEqual([saved(17.5)?.value, saved(17.5)?.against?.["withOneReplicaEach"]], [-2.857, 0]);
  });

  it("counts each HPA by itself, and nothing as saved where nothing of ours violates as little", () => {
    const own = row("default", 0.6, 18, 0.01);
    const figure = (rows: readonly ReturnType<typeof row>[]) =>
      e1Figures(rows, "").find(({ name }) => name === "vsHpa.coresSaved");
    const both = [own, row("HPA, heaviest", 0.6, 20, 0.01), row("HPA, heaviest, 85 % busy", 0.6, 19, 0.01)];
    assert.deepEqual([figure(both)?.value, figure(both)?.against?.["cells"]], [5.263, 2]);
    const worse = figure([{ ...own, violations: 0.05 }, row("HPA, heaviest", 0.6, 20, 0.01)]);
    assert.deepEqual([worse?.value, worse?.holds], [0, false]);
  });
});
