import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { demoRates, mostAccurateAt, pickVariants, staticOverrides } from "../../../cli/demo/demo-rates.ts";
import { scaleServiceTimes } from "../../../domain/scale-profile.ts";
import { pipelineFixture, twoStages } from "../../support/pipeline-fixture.ts";

describe("pickVariants()", () => {
  it("goes by service time, not by the order in the file", () => {
    const pipeline = pipelineFixture([{ name: "read", ladder: { b: [5, 0.9], c: [9, 0.8], a: [1, 0.95] } }]);
    assert.deepEqual(pickVariants(pipeline, "heaviest"), { read: "c" });
    assert.deepEqual(pickVariants(pipeline, "lightest"), { read: "a" });
  });

  it("leaves out what was not measured, and takes the default where nothing was", () => {
    const [stage] = twoStages().stages;
    const of = (measured: readonly string[]) => ({
      ...twoStages(),
      stages: [
        {
          ...stage!,
          variants: stage!.variants.map(one => (measured.includes(one.name) ? one : { ...one, profile: null })),
        },
      ],
    });
    assert.deepEqual(pickVariants(of(["middle", "light"]), "heaviest"), { detect: "middle" });
    assert.deepEqual(pickVariants(of([]), "lightest"), { detect: "heavy" });
  });
});

describe("demoRates()", () => {
  it("has a low load that the heaviest variants serve, and a peak that drowns them and that the lightest serve", () => {
    const rates = demoRates(twoStages(), 2);
    assert.ok(rates.lowRps < 0.5 * rates.heaviestCapacityRps);
    assert.ok(rates.peakRps > 1.5 * rates.heaviestCapacityRps);
    assert.ok(rates.peakRps < 0.5 * rates.lightestCapacityRps);
  });

  it("is a share of the machine's capacity: the same story on any machine", () => {
    const rates = demoRates(twoStages(), 2);
    const slow = demoRates(scaleServiceTimes(twoStages({ slo: { latencyMs: 2000, quantile: 0.95 } }), 4), 2);
    for (const key of ["lowRps", "peakRps", "heaviestCapacityRps", "lightestCapacityRps"] as const)
      assert.ok(Math.abs((slow[key] * 4) / rates[key] - 1) < 0.01, key);
    assert.ok(demoRates(twoStages(), 8).peakRps > 2 * rates.peakRps);
  });

  it("says so where the lightest variants serve hardly more than the heaviest", () => {
    const alike = pipelineFixture([{ name: "read", ladder: { heavy: [20, 0.95], light: [12, 0.9] } }]);
    assert.throws(() => demoRates(alike, 2), {
      code: "failed_precondition",
      message: /heaviest variants serve \d+ rps .* the lightest \d+ rps .* no load that only lighter variants carry/,
    });
    const light = { ...twoStages(), overhead: { latencyMs: 1, cpuMs: 200 } };
    assert.throws(() => demoRates(light, 2), { message: /the gateway beside them 8 rps/ });
  });

  it("comes nearer to what the lightest variants serve where that is not much more than the heaviest do", () => {
    const near = pipelineFixture([{ name: "read", ladder: { heavy: [20, 0.95], light: [6, 0.9] } }]);
    const { peakRps, heaviestCapacityRps, lightestCapacityRps } = demoRates(near, 2);
    assert.ok(peakRps > 0.35 * lightestCapacityRps && peakRps <= 0.6 * lightestCapacityRps);
    assert.ok(peakRps >= 1.2 * heaviestCapacityRps);
  });

  it("says so where the heaviest variants can't serve anything within the SLO", () => {
    const tight = twoStages({ slo: { latencyMs: 50, quantile: 0.95 } });
    assert.throws(() => demoRates(tight, 2), {
      code: "failed_precondition",
      message: /2 cores of this machine can't serve the heaviest variants within 50 ms/,
    });
    assert.throws(() => demoRates(twoStages(), 0.001), /can't serve the heaviest variants/);
  });
});

describe("mostAccurateAt()", () => {
  it("is the most accurate combination of those that the machine serves within the SLO", () => {
    const pipeline = twoStages();
    const { heaviestCapacityRps, lightestCapacityRps } = demoRates(pipeline, 2);
    const heaviest = pickVariants(pipeline, "heaviest");
    assert.deepEqual(mostAccurateAt(pipeline, 2, 0.99 * heaviestCapacityRps), heaviest);
    assert.deepEqual(mostAccurateAt(pipeline, 2, 0.99 * lightestCapacityRps), pickVariants(pipeline, "lightest"));
    assert.equal(mostAccurateAt(pipeline, 2, 1.01 * lightestCapacityRps), null);
    // 1.5 cores' worth of work at most: 14 rps of 104 ms are some, of 84 ms with one of 80 ms not.
    assert.deepEqual(mostAccurateAt(pipeline, 2, 14), { detect: "middle", read: "heavy" });
  });

  it("minds neither what cores cost nor the policy of the file", () => {
    const weights = { accuracy: 1, cost: 100, batch: 1, switch: 1 };
    const pipeline = twoStages({ objective: { policy: "static", weights } });
    assert.deepEqual(mostAccurateAt(pipeline, 2, 10), pickVariants(pipeline, "heaviest"));
  });
});

describe("staticOverrides()", () => {
  it("names each stage's field by its place in the file, and passes over unknown stages", () => {
    assert.deepEqual(staticOverrides(twoStages(), { read: "light", detect: "heavy", other: "x" }), [
      "spec.objective.policy=static",
      "spec.serving.rule=fixed",
      "spec.stages[1].defaultVariant=light",
      "spec.stages[0].defaultVariant=heavy",
    ]);
  });
});
