import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { e4Cases, e4Report } from "../../bench/experiments/e4-drift.ts";
import type { ExperimentRow } from "../../bench/experiments/report-parts.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import { poissonLoad } from "../simulator/scenario.ts";

const LOAD = { name: "made up", load: poissonLoad(1320, () => 10), before: poissonLoad(0, () => 0), past: NO_PAST };

/** As though accuracy and cores had stayed at one value from the time on that is compared. */
function row(
  cell: Pick<ExperimentRow, "pipeline" | "load" | "sloFactor" | "contender" | "seed">,
  accuracy: number,
): ExperimentRow {
  const window = (fromSecond: number, accuracyThen: number, offeredRps = 10) => ({
    fromSecond,
    offeredRps,
    forecastRps: 10,
    accuracy: accuracyThen,
    violations: 0.1,
    cores: 4,
    p99Ms: 10,
    switches: 0,
    stages: [],
  });
  return {
    ...cell,
    ...{ offered: 1000, inTime: 900, late: 0, dropped: 100, lost: 0, refused: 0, violations: 0.1 },
    ...{ accuracy, effectiveAccuracy: accuracy, cores: 4, p50Ms: 10, p95Ms: 10, p99Ms: 10 },
    ...{ switches: 0, podsStarted: 1, decisions: 1, tickMs: 0.1 },
    timeline: [window(590, 1), window(600, accuracy + 0.2, 30), window(610, accuracy)],
  };
}

describe("e4Cases() and e4Report()", () => {
  it("run every measured drift with everything that the loop may be told, and say what that is worth", async () => {
    const cases = await e4Cases([LOAD], 1);
    const drifts = new Set(cases.map(({ cell }) => `${cell.pipeline} ${cell.contender.split(" | ")[0]}`));
    assert.ok(drifts.has("video night") && drifts.has("audio noise") && drifts.has("question-answering typos"));
    assert.equal(cases.length, 6 * drifts.size);
    for (const { given } of cases) assert.ok((given.drift?.accuracies.length ?? 0) > 1);
    const kinds = cases.slice(0, 6).map(({ given }) => given.drift?.told.kind);
    assert.deepEqual(kinds, ["nothing", "estimates", "estimates", "estimates", "estimates", "accuracies"]);

    const rows = cases.map(({ cell }) => row(cell, cell.contender.endsWith("(oracle)") ? 0.6 : 0.5));
    const lines = e4Report("", rows)
      .split("\n")
      .map(line => line.split("|").map(part => part.trim()));
    const lineOf = (name: string) => lines.find(parts => parts[1] === name)?.slice(2, -1);
    // Right and in time: (30 · 0.7 + 10 · 0.5) / 40 · 0.9 of the requests, (0.7 + 0.5) / 2 · 0.9 over time; 4 cores cost 0.005 each.
    assert.deepEqual(lineOf("nothing"), ["58.5 %", "4.0", "10.00 %", "52.0", ""]);
    assert.deepEqual(lineOf("everything at once (oracle)"), [
      "67.5 %",
      "4.0",
      "10.00 %",
      "61.0 (+9.00)",
      `${drifts.size} / 0`,
    ]);
  });
});
