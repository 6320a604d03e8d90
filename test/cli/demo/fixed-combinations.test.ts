import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { demoRates, mostAccurateAt } from "../../../cli/demo/demo-rates.ts";
import {
  chooseBySimulation,
  listCombinations,
  nameCombination,
  simulateCourse,
} from "../../../cli/demo/fixed-combinations.ts";
import { arrivalsOf, demoShape } from "../../../cli/demo/load-shape.ts";
import { summarise } from "../../../simulator/summary.ts";
import { twoStages } from "../../support/pipeline-fixture.ts";

const PIPELINE = twoStages();
const RATES = demoRates(PIPELINE, 2);

describe("listCombinations()", () => {
  it("has each combination once that is the most accurate for some rate, those of the low load and the peak among them", () => {
    const names = listCombinations(PIPELINE, 2, RATES).map(nameCombination);
    assert.deepEqual([...new Set(names)], names);
    for (const rateRps of [RATES.lowRps, 1.5 * RATES.peakRps])
      assert.ok(names.includes(nameCombination(mostAccurateAt(PIPELINE, 2, rateRps) ?? {})), String(rateRps));
    assert.ok(names.length > 2, names.join());
  });
});

describe("chooseBySimulation()", () => {
  const durationMs = 20_000;
  const shape = demoShape(durationMs, RATES.lowRps / RATES.peakRps);
  // A peak in which the heaviest variants drown.
  const arrivalsMs = arrivalsOf(shape, 1.5 * RATES.peakRps, 1);
  const course = { arrivalsMs, durationMs, warmUpMs: [100, 1100], warmUpSeconds: 2 };
  const simulateFixed = (fixed: Readonly<Record<string, string>>, machineCores: number | null = 2) =>
    simulateCourse(
      {
        ...PIPELINE,
        objective: { ...PIPELINE.objective, policy: "static" },
        serving: { ...PIPELINE.serving, rule: "fixed" },
        stages: PIPELINE.stages.map(stage => ({ ...stage, defaultVariant: fixed[stage.name] ?? "" })),
      },
      course,
      { machineCores, seed: 1, model: null },
    );

  it("takes those with the most effective accuracy, best first: none that drowns", () => {
    const [heavy, middle, light] = ["heavy", "middle", "light"].map(name => ({ detect: name, read: name }));
    const given = [light!, heavy!, middle!];
    assert.deepEqual(chooseBySimulation(given, 2, simulateFixed), [middle, light]);
    assert.equal(chooseBySimulation(given, 5, simulateFixed).length, 3);
  });

  it("counts the run's requests alone, and knows that replicas share the machine", () => {
    const heavy = { detect: "heavy", read: "heavy" };
    const shared = summarise(simulateFixed(heavy));
    assert.equal(shared.offered, arrivalsMs.length);
    assert.ok(shared.violations > summarise(simulateFixed(heavy, null)).violations + 0.1);
  });
});
