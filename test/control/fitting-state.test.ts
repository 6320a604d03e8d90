import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { type ControlState, initialState } from "../../control/control-state.ts";
import { fittingState } from "../../control/fitting-state.ts";
import type { AccuracyEstimate } from "../../domain/accuracy-estimate.ts";
import type { Pipeline, Variant } from "../../domain/pipeline.ts";
import { twoStages } from "../support/pipeline-fixture.ts";

describe("fittingState()", () => {
  const seen = (detect: string, read: string): AccuracyEstimate => ({
    ...{ variants: { detect, read }, requests: 100, right: 50, labels: 0, correction: 0 },
  });
  const all = [seen("heavy", "light"), seen("light", "heavy"), seen("light", "light")];
  const names = (estimates: readonly AccuracyEstimate[]) =>
    estimates.map(({ variants }) => Object.values(variants).join());
  const pipeline = twoStages();
  const changed = (change: Partial<Variant>, from = pipeline): Pipeline => ({
    ...from,
    stages: from.stages.map(stage => ({
      ...stage,
      variants: stage.variants.map(variant =>
        stage.name === "read" && variant.name === "heavy" ? { ...variant, ...change } : variant,
      ),
    })),
  });
  /** As it is after a restart. */
  const fitted = (state: ControlState, of: Pipeline): ControlState =>
    JSON.parse(JSON.stringify(fittingState(state, of)));
  const state = { ...initialState(1), evidence: all, remembered: all };

  it("keeps what was seen as long as the models are the same", () => {
    const first = fitted(state, pipeline);
    assert.deepEqual([first.evidence, first.remembered], [all, all], "of before nothing is known");
    const second = fitted(fitted(first, twoStages()), changed({ model: "moved.onnx", accuracy: 0.5 }));
    assert.deepEqual([second.evidence, second.remembered], [all, all]);
  });

  it("leaves out what was seen of combinations with a variant that is another model now", () => {
    const remote = changed({ sha256: null, url: "http://a:8000", model: "reader" });
    for (const [before, now] of [
      [pipeline, changed({ sha256: "1".repeat(64) })],
      [remote, changed({ url: "http://b:8000" }, remote)],
      [remote, changed({ model: "other" }, remote)],
    ] as const) {
      const { evidence, remembered } = fitted(fitted(state, before), now);
      assert.deepEqual(names(evidence), ["heavy,light", "light,light"]);
      assert.deepEqual(names(remembered), ["heavy,light", "light,light"]);
    }
  });

  it("keeps what pods miss of variants that there are, and of no other model", () => {
    const entry = { atMs: 0, pods: ["read-0"] };
    const kept = [{ ...entry, stage: "read", variant: "heavy" }];
    const gone = [
      { ...entry, stage: "read", variant: "ghost" },
      { ...entry, stage: "phantom", variant: "heavy" },
    ];
    const first = fitted({ ...state, missing: [...kept, ...gone] }, pipeline);
    assert.deepEqual(first.missing, kept);
    assert.deepEqual(fitted(first, changed({ model: "moved.onnx" })).missing, kept);
    assert.deepEqual(fitted(first, changed({ sha256: "1".repeat(64) })).missing, [], "another model has its name");
  });
});
