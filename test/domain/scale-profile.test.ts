import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { scaleServiceTimes } from "../../domain/scale-profile.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

describe("scaleServiceTimes()", () => {
  it("scales what is measured in time and nothing else", () => {
    const pipeline = { ...twoStages(), overhead: { latencyMs: 4, cpuMs: 3 } };
    const slower = scaleServiceTimes(pipeline, 2);
    assert.deepEqual(slower.overhead, { latencyMs: 8, cpuMs: 6 });
    assert.deepEqual(
      slower.stages[0]?.variants[0]?.profile?.points.map(point => [point.batch, point.latencyMs]),
      [
        [1, 120],
        [2, 240],
        [4, 480],
      ],
    );
    assert.deepEqual(slower.slo, pipeline.slo);
    assert.equal(pipeline.stages[0]?.variants[0]?.profile?.points[0]?.latencyMs, 60);
  });

  it("scales the time to load, and leaves a variant that was not measured as it is", () => {
    const pipeline = twoStages();
    const stages = pipeline.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map((variant, i) => ({
        ...variant,
        profile: i === 0 && variant.profile ? { ...variant.profile, loadMs: 50 } : null,
      })),
    }));
    const [detect] = scaleServiceTimes({ ...pipeline, stages }, 3).stages;
    assert.deepEqual(
      detect?.variants.map(variant => variant.profile?.loadMs ?? null),
      [150, null, null],
    );
  });

  it("scales what is measured beside: throughput, the line, Switches and other cores", () => {
    const pipeline = twoStages();
    const point = { batch: 1, latencyMs: 10, scv: 0, throughputRps: 100, spread: 0.05 };
    const fit = { fixedMs: 4, rowMs: 6, largestResidual: 0.1, isotonicResidual: 0 };
    const measured = { ...{ cores: 1, loadMs: 20, points: [point], fit }, switch: { coldMs: 30, residentMs: 3 } };
    const profile = { ...measured, otherCores: [{ cores: 2, loadMs: 20, points: [point], fit }] };
    const stages = pipeline.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map(variant => ({ ...variant, profile })),
    }));
    const [detect] = scaleServiceTimes({ ...pipeline, stages }, 2).stages;
    const slowPoint = { ...point, latencyMs: 20, throughputRps: 50 };
    const slowFit = { ...fit, fixedMs: 8, rowMs: 12 };
    assert.deepEqual(detect?.variants[0]?.profile, {
      ...{ cores: 1, loadMs: 40, points: [slowPoint], fit: slowFit, switch: { coldMs: 60, residentMs: 6 } },
      otherCores: [{ cores: 2, loadMs: 40, points: [slowPoint], fit: slowFit }],
    });
  });

  for (const factor of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`refuses a factor of ${factor}`, () => {
      assert.throws(() => scaleServiceTimes(twoStages(), factor), { code: "invalid_argument" });
    });
  }
});
