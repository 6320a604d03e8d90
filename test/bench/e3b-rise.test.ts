import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { e3bCases, e3bReport } from "../../bench/experiments/e3b-rise.ts";
import type { ExperimentLoad } from "../../bench/experiments/ipa-loads.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import { poissonLoad } from "../simulator/scenario.ts";

const load = (name: string): ExperimentLoad => ({
  name,
  load: poissonLoad(1320, second => 10 + second / 100),
  before: poissonLoad(0, () => 0),
  past: NO_PAST,
});
const VIOLATIONS: Readonly<Record<string, number>> = {
  default: 0.001,
  "without the rise": 0.01,
  ipa: 0.004,
  oracle: 0,
};

describe("e3bCases() and e3bReport()", () => {
  const cases = e3bCases([load("steady"), load("steep")], 1);

  it("run the last load again from a little later on, with and without the rise", () => {
    assert.deepEqual(
      [...new Set(cases.map(({ cell }) => cell.load))],
      ["steady", "steep", "steep, 5 s", "steep, 10 s"],
    );
    const of = (name: string, contender: string) =>
      cases.find(({ cell }) => cell.load === name && cell.contender === contender)?.given;
    const [whole, later] = [of("steep", "default")?.load, of("steep, 10 s", "default")?.load];
    assert.ok(whole && later);
    assert.equal(later.startMs - whole.startMs, 10_000);
    assert.deepEqual(later.ratesRps, whole.ratesRps.slice(10));
    assert.deepEqual(of("steep", "without the rise")?.without, ["rise"]);
    assert.equal(of("steep", "default")?.without, undefined);
  });

  it("say what the rise avoids and takes, and by when it begins whether the bars hold", () => {
    const rows = cases.map(({ cell }) => {
      const isLater = cell.load === "steep, 5 s" && cell.contender === "default";
      const violations = isLater ? 0.02 : (VIOLATIONS[cell.contender] ?? 1);
      return {
        ...cell,
        ...{ offered: 1000, inTime: 900, late: 0, dropped: 100, lost: 0, refused: 0, violations },
        ...{ accuracy: 0.5, effectiveAccuracy: 0.5, cores: cell.contender === "default" ? 11 : 10 },
        ...{ p50Ms: 10, p95Ms: 10, p99Ms: 10, switches: 0, podsStarted: 1, decisions: 1, tickMs: 0.1, timeline: [] },
      };
    });
    const report = e3bReport("made up", rows);
    assert.match(report, /\| steady \| 0\.100 % \| 1\.000 % \| 0\.400 % \| 0\.000 % \| 11\.0 \| 10\.0 \|/);
    assert.match(report, /\| all of these \| 0\.575 % \| 1\.000 % \|/);
    // Of `steady` and of `steep` as it begins there: 0.1 of 0.4, and (0.1 + 2) / 2 of 0.4.
    assert.match(report, /\| steep \| 0\.100 % \| 0\.000 % \| 0\.400 % \| 0\.1 \(holds\) \| 0\.25 \(holds\) \|/);
    assert.match(
      report,
      /\| steep, 5 s \| 1\.050 % \|.* 1\.05 \(\*\*does not hold\*\*\) \| 2\.625 \(\*\*does not hold\*\*\) \|/,
    );
  });
});
