import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { boundReport } from "../../bench/experiments/bound-report.ts";
import { leastCapacityRps, unavoidable } from "../../bench/experiments/causal-bound.ts";
import type { ExperimentRow } from "../../bench/experiments/report-parts.ts";

/** 10 rps, and 30 from second 60 on. */
const counts = Array.from({ length: 120 }, (_, second) => (second < 60 ? 10 : 30));
const rise = { counts, fromSecond: 60, readySecond: 72, sloSeconds: 2 };

describe("unavoidable()", () => {
  it("is what comes until new pods could serve it in time, less what those before can serve", () => {
    assert.equal(unavoidable(rise, 10), 300 - 120);
  });

  it("is nothing where capacity is enough, or new pods are there before anything is late", () => {
    assert.equal(unavoidable(rise, 30), 0);
    assert.equal(unavoidable({ ...rise, readySecond: 62 }, 10), 0);
  });

  it("is no less of a rise that goes down again than at its top", () => {
    const short = counts.map((rate, second) => (second >= 65 ? 0 : rate));
    assert.equal(unavoidable({ ...rise, counts: short }, 10), 150 - 70);
  });
});

describe("leastCapacityRps()", () => {
  it("is the capacity that loses as much as is allowed", () => {
    for (const allowed of [0, 60, 180]) {
      const capacityRps = leastCapacityRps(rise, allowed);
      assert.ok(Math.abs(unavoidable(rise, capacityRps) - allowed) < 1e-9, `${allowed}: ${capacityRps}`);
    }
  });
});

describe("boundReport()", () => {
  /** Detection has one pod, for up to 19.5 rps, also when the rise is long seen; classification has enough. */
  function row(contender: string, load: string, violations: number): ExperimentRow {
    const timeline = counts.map((offeredRps, fromSecond) => ({
      fromSecond,
      offeredRps,
      forecastRps: offeredRps,
      accuracy: 0.5,
      violations,
      cores: 6,
      p99Ms: 30,
      switches: 0,
      stages: [
        { ready: 1, desired: 1, variants: ["yolov5n"], rows: {} },
        { ready: 5, desired: 5, variants: ["resnet18"], rows: {} },
      ],
    }));
    const offered = counts.reduce((sum, count) => sum + count, 0);
    return {
      pipeline: "video",
      load,
      sloFactor: 5,
      contender,
      seed: 1,
      offered,
      inTime: offered * (1 - violations),
      late: 0,
      dropped: offered * violations,
      lost: 0,
      refused: 0,
      violations,
      accuracy: 0.5,
      effectiveAccuracy: 0.5,
      cores: 6,
      p50Ms: 10,
      p95Ms: 20,
      p99Ms: 30,
      switches: 1,
      podsStarted: 1,
      decisions: 1,
      tickMs: 0.1,
      timeline,
    };
  }

  const report = boundReport("made up", [
    row("default", "calm", 0),
    row("default", "rising", 0.1),
    row("oracle", "calm", 0),
    row("oracle", "rising", 0),
    row("ipa", "calm", 0),
    row("ipa", "rising", 0.02),
  ]);

  it("looks at the load with most violations, and leaves to it what the others do not take of the bars", () => {
    assert.match(report, /under `rising`/);
    assert.match(report, /`violations.overOracle`: 0\.60 % \| for `violations.vsIpa`: 1\.00 %/);
  });

  it("finds the stage and the second of the rise, and the cores that were missing", () => {
    assert.match(report, /\| video \| 60 s \| detection \|/);
    assert.match(report, /\| 1 \| 2 \(\+\d+ %\) \| 2 \(\+\d+ %\) \|/);
  });
});
