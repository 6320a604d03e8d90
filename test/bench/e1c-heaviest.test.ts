import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { e1cCases, e1cReport } from "../../bench/experiments/e1c-heaviest.ts";
import { NO_PAST } from "../../cli/simulate/past.ts";
import { poissonLoad } from "../simulator/scenario.ts";

const load = (name: string) => ({
  name,
  load: poissonLoad(1320, () => 5),
  before: poissonLoad(0, () => 0),
  past: NO_PAST,
});

describe("e1cCases() and e1cReport()", () => {
  const cases = e1cCases([load("bursty"), load("steadyLow")], 1);

  it("run the heaviest variants alone, with one thing changed at a time", () => {
    assert.ok(cases.length > 0 && cases.every(({ cell }) => cell.load === "steadyLow"));
    const stages = cases.flatMap(({ given }) => given.pipeline.stages);
    assert.ok(stages.every(({ defaultVariant, variants }) => defaultVariant === variants.at(-1)?.name));
    const of = (name: string) => cases.find(({ cell }) => cell.contender === name)?.given;
    assert.equal(of("for the median of what may come")?.tuning?.forecastQuantile, 0.5);
    assert.equal(of("95 % in time, not 99")?.pipeline.slo.quantile, 0.95);
    assert.equal(of("plans as they are")?.pipeline.slo.quantile, 0.99);
    assert.equal(of("replicas 85 % busy at most, not 75")?.pipeline.objective.utilisation, 0.85);
  });

  it("hold cores against the HPA's and say what is the fewest", () => {
    const window = { fromSecond: 0, forecastRps: 5, accuracy: 0.3, violations: 0.01, cores: 17, p99Ms: 10 };
    const rows = cases.map(({ cell }) => ({
      ...cell,
      ...{ offered: 1000, inTime: 900, late: 0, dropped: 100, lost: 0, refused: 0, violations: 0.001 },
      ...{ accuracy: 0.3, effectiveAccuracy: 0.3, cores: cell.contender === "HPA, heaviest" ? 17 : 20.4 },
      ...{ p50Ms: 10, p95Ms: 10, p99Ms: 10, switches: 0, podsStarted: 1, decisions: 1, tickMs: 0.1 },
      timeline: [5, 25].map(offeredRps => ({ ...window, offeredRps, switches: 0, stages: [] })),
    }));
    const lines = e1cReport("made up", rows)
      .split("\n")
      .map(line => line.split("|").map(part => part.trim()));
    const cellOf = (name: string) => {
      const column = lines.find(parts => parts[1] === "plans")?.indexOf("sum-qa") ?? 0;
      return lines.find(parts => parts[1] === name)?.[column];
    };
    assert.equal(cellOf("HPA, heaviest"), "17.0, 0.10 %");
    assert.equal(cellOf("plans as they are"), "20.4 (+20.0 %), 0.10 %");
    // 15 rps of 80 ms keep 1.2 replicas of 16 cores busy, and of 35 ms half of one of 1 core.
    assert.equal(cellOf("the fewest"), "20.2 (+18.8 %)");
  });
});
